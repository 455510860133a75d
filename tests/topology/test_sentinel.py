"""Sentinel: the primary is killed under load, a replica is promoted, the service continues."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from adksess import RedisSessionService
from adksess.store.errors import ServerUnavailable
from tests.events import event, texts
from tests.servers import ServerProcess, running, valkey_binary, wait_until
from tests.topology.conversation import converse

SERVICE, PASSWORD = "mymaster", "s3cr3t"
MINE = {"requirepass": PASSWORD, "masterauth": PASSWORD, "repl_diskless_sync_delay": "0"}


class SentinelProcess(ServerProcess):
    """A sentinel that watches one primary, and gives it up after a third of a second."""

    def watch(self, primary: ServerProcess) -> None:
        self.folder.mkdir(parents=True)
        config = self.folder / "sentinel.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 1\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {SERVICE} 300\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self.command = [str(self.binary), str(config), "--sentinel"]
        self.start()

    def ask(self, *question: str) -> list[bytes]:
        with self.client() as client:
            return client.execute_command("SENTINEL", *question)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, ServerProcess]]:
    with ExitStack() as stack:
        primary = stack.enter_context(running(valkey_binary(), tmp_path / "primary", **MINE))
        follow = f"127.0.0.1 {primary.port}"
        replica = stack.enter_context(
            running(valkey_binary(), tmp_path / "replica", replicaof=follow, **MINE)
        )
        sentinel = SentinelProcess(valkey_binary(), tmp_path / "sentinel")
        stack.callback(sentinel.stop)
        sentinel.watch(primary)
        wait_until(lambda: sentinel.ask("REPLICAS", SERVICE))
        with replica.client(password=PASSWORD) as client:
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        yield {"primary": primary, "replica": replica, "sentinel": sentinel}


@pytest.mark.slow
async def test_failover_under_load(servers: dict[str, ServerProcess]) -> None:
    sentinel = servers["sentinel"]
    # the first of two sentinels is down
    hosts = f"127.0.0.1:1,127.0.0.1:{sentinel.port}"
    service = RedisSessionService(f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}?db=2")
    await converse(service)
    session = await service.create_session(app_name="demo", user_id="ada", session_id="s")
    acknowledged: list[str] = []
    failures: list[str] = []

    async def write(count: int) -> None:
        target = len(acknowledged) + count
        while len(acknowledged) < target:
            given = event(f"{len(acknowledged)}", state={"n": len(acknowledged)})
            while True:
                try:
                    await service.append_event(session, given)
                    break
                except ServerUnavailable as exc:
                    failures.append(str(exc))
            acknowledged.append(given.content.parts[0].text)

    await write(100)
    # replication is asynchronous: only what the replica has can survive the primary
    with servers["primary"].client(password=PASSWORD) as client:
        assert client.wait(1, 60_000) == 1
    servers["primary"].kill()
    async with asyncio.timeout(120):
        await write(100)
    found = await service.get_session(app_name="demo", user_id="ada", session_id="s")
    assert found is not None
    assert Counter(texts(found)) == Counter(acknowledged)
    assert found == session
    assert PASSWORD not in "".join(failures)
    with servers["replica"].client(password=PASSWORD, db=2) as client:
        assert client.exists("session:demo:ada:s")
        assert client.info("replication")["role"] == "master"
    await service.aclose()


async def test_no_connection_stays_open(servers: dict[str, ServerProcess]) -> None:
    port = servers["sentinel"].port

    def connections(server: ServerProcess, **options: str) -> int:
        with server.client(**options) as client:
            return len(client.client_list(_type="normal"))

    before = connections(servers["sentinel"]), connections(servers["primary"], password=PASSWORD)
    url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/{SERVICE}"
    for _ in range(3):
        async with RedisSessionService(url) as service:
            await converse(service)
    after = connections(servers["sentinel"]), connections(servers["primary"], password=PASSWORD)
    assert after == before


async def test_errors_of_a_sentinel(servers: dict[str, ServerProcess]) -> None:
    port = servers["sentinel"].port
    for url in (
        f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/unheard-of",
        f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/{SERVICE}",
    ):
        async with RedisSessionService(url) as service:
            with pytest.raises(ServerUnavailable, match="no primary found") as error:
                await service.list_sessions(app_name="demo", user_id="ada")
            assert PASSWORD not in str(error.value)
            assert not isinstance(error.value, redis.RedisError)
