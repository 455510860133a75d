"""A URL with the scheme of another kind of server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adksess import RedisSessionService, SessionStore
from adksess.store.errors import ServerUnavailable
from tests.cluster import SLOTS
from tests.servers import ServerProcess, running, valkey_binary, wait_until
from tests.topology.conversation import converse, manage


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A node with all slots: the whole cluster has one address."""
    folder = tmp_path_factory.mktemp("node")
    with running(valkey_binary(), folder, cluster_enabled="yes") as node:
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
            wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        yield node


@pytest.mark.parametrize("query", ["", "?protocol=2"])
async def test_a_cluster_named_as_one_server(node: ServerProcess, query: str) -> None:
    async with RedisSessionService(f"{node.url}{query}") as service:
        calls: list[Callable[[], Any]] = [
            lambda: service.list_sessions(app_name="a", user_id=None),
            lambda: service.create_session(app_name="a", user_id="u"),
            lambda: service.store.key_count(),
            lambda: service.store.check(),
        ]
        for call in calls:
            with pytest.raises(ServerUnavailable, match=r"a cluster: use redis\+cluster://"):
                await call()


@pytest.mark.parametrize("command", [["list"], ["show", "x"], ["doctor"], ["stats"], ["flush"]])
def test_a_command_on_a_cluster_named_as_one_server(
    node: ServerProcess, cli: Callable[..., Any], command: list[str]
) -> None:
    result = cli(*command, "-r", node.url)
    shown = " ".join((result.out + result.err).split())
    assert "this is a cluster: use redis+cluster://" in shown
    assert "serve --demo" not in shown
    assert result.code == 4


async def test_a_cluster_behind_one_address(node: ServerProcess) -> None:
    async with RedisSessionService(f"{node.url}?single_slot=true", prefix="single:") as service:
        await converse(service)
        await manage(service.store)
        assert "single_slot=true" in service.store.settings.uri
        for number in range(20):
            await service.create_session(app_name="a", user_id=f"u{number}")
        assert sum([batch.sessions async for batch in service.store.purge()]) == 20


async def test_one_server_named_as_a_cluster(valkey_url: str) -> None:
    async with SessionStore(valkey_url.replace("redis:", "redis+cluster:")) as store:
        with pytest.raises(ServerUnavailable, match="this is not a cluster: use redis://"):
            await store.key_count()


async def test_one_server_named_as_a_sentinel(valkey_url: str) -> None:
    url = valkey_url.replace("redis:", "redis+sentinel:").replace("/0", "/mymaster")
    async with SessionStore(url) as store:
        with pytest.raises(ServerUnavailable, match="this is not a sentinel: use redis:// for"):
            await store.key_count()


async def test_a_sentinel_named_as_one_server(tmp_path: Path) -> None:
    server = ServerProcess(valkey_binary(), tmp_path)
    (tmp_path / "sentinel.conf").write_text(f"port {server.port}\n")
    server.command = [str(valkey_binary()), str(tmp_path / "sentinel.conf"), "--sentinel"]
    try:
        server.start()
        async with SessionStore(server.url) as store:
            with pytest.raises(ServerUnavailable, match=r"a sentinel: use redis\+sentinel://"):
                await store.key_count()
    finally:
        server.stop()
