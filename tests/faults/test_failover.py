"""Another server gets the address: connections to the old one are closed."""

import asyncio
from collections.abc import Callable

import pytest
import redis

from adksess import RedisSessionService
from tests.events import event, texts
from tests.faults.proxy import proxy
from tests.servers import ServerProcess, free_port, wait_until

APP, USER = "demo", "ada"
Start = Callable[..., ServerProcess]


@pytest.mark.parametrize("becomes", ["read-only", "without its primary"])
async def test_the_address_moves_to_another_server(start: Start, becomes: str) -> None:
    old = start("old", repl_diskless_sync_delay="0")
    new = start("new", replicaof=f"127.0.0.1 {old.port}")
    with old.client() as old_client, new.client() as new_client:
        wait_until(lambda: new_client.info("replication")["master_link_status"] == "up")
        async with proxy(old.port) as name, RedisSessionService(name.url) as service:
            session = await service.create_session(app_name=APP, user_id=USER)
            for number in range(3):
                await service.append_event(session, event(f"{number}"))
            # several pooled connections, all to the old server
            await asyncio.gather(*(service.store.key_count() for _ in range(10)))

            key = f"session:{APP}:{USER}:{session.id}"
            wait_until(lambda: new_client.get(key) == old_client.get(key))
            new_client.replicaof("NO", "ONE")
            name.target = new.port
            if becomes == "read-only":
                old_client.replicaof("127.0.0.1", new.port)
            else:
                old_client.config_set("replica-serve-stale-data", "no")
                old_client.replicaof("127.0.0.1", free_port())

            await service.append_event(session, event("3", state={"n": 3}))
            await asyncio.gather(*(service.store.key_count() for _ in range(10)))
            for number in range(4, 8):
                await service.append_event(session, event(f"{number}"))
            found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
            assert found == session
            assert texts(session) == [str(number) for number in range(8)]
            assert new_client.exists(f"session:{APP}:{USER}:{session.id}")
        wait_until(lambda: len(old_client.client_list(_type="normal")) == 1)


async def test_connections_to_a_loading_server_are_dropped(start: Start) -> None:
    old, new = start("old", appendonly="yes", key_load_delay="0"), start("new")
    with old.client() as old_client:
        old_client.execute_command("DEBUG", "POPULATE", 20_000, "key", 200)
        old_client.bgrewriteaof()
        wait_until(lambda: not old_client.info("persistence")["aof_rewrite_in_progress"])
    old.kill()
    old.options |= {"key-load-delay": "200", "loading-process-events-interval-bytes": "1024"}
    old.launch()
    with old.client() as old_client:

        def is_loading() -> bool:
            try:
                old_client.ping()
            except redis.BusyLoadingError:
                return True
            except redis.ConnectionError:  # not started yet
                return False
            pytest.fail("the server loaded its data too quickly")

        wait_until(is_loading)
    async with proxy(old.port) as name, RedisSessionService(name.url) as service:
        call = asyncio.create_task(service.create_session(app_name=APP, user_id=USER))
        while not name.requests:
            await asyncio.sleep(0.001)
        name.target = new.port
        session = await call
        with new.client() as new_client:
            assert new_client.exists(f"session:{APP}:{USER}:{session.id}")
