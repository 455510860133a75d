"""A server that is full, read-only, loading, or has forgotten its scripts; keys of other types."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adksess import RedisSessionService, SessionRef
from adksess.store.errors import ServerUnavailable, SessionUnreadable, WrongType
from tests.events import event, texts
from tests.servers import ServerProcess, version, wait_until

APP, USER = "demo", "ada"
KEY = "session:demo:ada:s"
Start = Callable[..., ServerProcess]


async def test_a_full_server(start: Start) -> None:
    server = start(maxmemory="20mb", maxmemory_policy="noeviction")
    async with RedisSessionService(server.url) as service:
        with server.client() as client:
            session = await service.create_session(app_name=APP, user_id=USER, session_id="s")

            async def fill() -> None:
                for number in range(10_000):
                    text = f"secret {number} {'x' * 50_000}"
                    await service.append_event(session, event(text, state={"n": number}))

            with pytest.raises(ServerUnavailable, match="out of memory") as error:
                await fill()
            assert "secret" not in str(error.value)
            client.config_set("maxmemory", "1mb")  # far below, since the size of buffers changes
            before = client.get(KEY)
            assert before is not None
            assert json.loads(before)["event_count"] == len(session.events) > 0

            unchanged = session.model_copy(deep=True)
            given = event("more", state={"a": 1, "app:a": 1, "user:a": 1})
            with pytest.raises(ServerUnavailable, match="out of memory"):
                await service.append_event(session, given)
            with pytest.raises(ServerUnavailable, match="out of memory"):
                await service.create_session(app_name=APP, user_id=USER, state={"app:a": 1})
            assert client.get(KEY) == before
            assert session == unchanged
            assert client.exists("app_state:demo", "user_state:demo:ada") == 0
            assert client.zcard("user_sessions:demo:ada") == 1
            found = await service.get_session(app_name=APP, user_id=USER, session_id="s")
            assert found == unchanged

            client.config_set("maxmemory", "100mb")
            await service.append_event(session, given)
            found = await service.get_session(app_name=APP, user_id=USER, session_id="s")
            assert found == session
            assert len(session.events) == len(unchanged.events) + 1


async def test_a_read_only_replica(start: Start) -> None:
    primary = start("primary", repl_diskless_sync_delay="0")
    replica = start("replica", replicaof=f"127.0.0.1 {primary.port}")
    async with RedisSessionService(primary.url) as service:
        session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
        await service.append_event(session, event("hello"))
    with replica.client() as client:
        wait_until(lambda: client.get(KEY) and b"hello" in client.get(KEY))
    async with RedisSessionService(replica.url) as service:
        assert await service.get_session(app_name=APP, user_id=USER, session_id="s") == session
        listed = await service.list_sessions(app_name=APP, user_id=USER)
        assert [one.id for one in listed.sessions] == ["s"]
        before = session.model_copy(deep=True)
        with pytest.raises(ServerUnavailable, match="read-only replica: name the primary"):
            await service.append_event(session, event("lost"))
        with pytest.raises(ServerUnavailable, match="read-only replica"):
            await service.create_session(app_name=APP, user_id=USER)
        with pytest.raises(ServerUnavailable, match="read-only replica"):
            await service.delete_session(app_name=APP, user_id=USER, session_id="s")
        assert session == before


async def test_a_server_that_is_loading(start: Start, binary: Path) -> None:
    if "v=6." in version(binary):
        pytest.skip("Redis 6 answers while it loads only every few megabytes")
    server = start(appendonly="yes", key_load_delay="0", rdbcompression="no")
    with server.client() as client:
        client.execute_command("DEBUG", "POPULATE", 60_000, "key", 200)
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    server.kill()
    server.options |= {"key-load-delay": "20", "loading-process-events-interval-bytes": "1024"}
    server.launch()

    async def ask() -> str:
        async with RedisSessionService(server.url) as service:
            try:
                await service.list_sessions(app_name=APP, user_id=USER)
            except ServerUnavailable as exc:
                return str(exc)
            return "ready"

    answers: list[str] = []
    async with asyncio.timeout(120):
        while not answers or answers[-1] != "ready":
            answers.append(await ask())
            if any("still loading" in answer for answer in answers):
                with server.client() as client:
                    client.config_set("key-load-delay", "0")
    assert any("is still loading its data: try again" in answer for answer in answers)


async def test_scripts_that_the_server_has_forgotten(start: Start) -> None:
    server = start()
    async with RedisSessionService(server.url) as service:
        with server.client() as client:
            client.script_flush()
            session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
            for number in range(3):
                client.script_flush()
                await service.append_event(session, event(f"{number}", state={"app:n": number}))
            client.script_flush()
            listed = await service.list_sessions(app_name=APP, user_id=USER)
            client.script_flush()
            assert await service.get_session(app_name=APP, user_id=USER, session_id="s") == session
            assert texts(session) == ["0", "1", "2"]
            assert len(listed.sessions) == 1
            client.script_flush()
            assert await service.store.set_expiry(SessionRef(APP, USER, "s"), 60)


@pytest.mark.parametrize("key", [KEY, "app_state:demo", "user_state:demo:ada"])
async def test_a_key_of_another_type(start: Start, key: str) -> None:
    server = start()
    with server.client() as client:
        async with RedisSessionService(server.url) as service:
            session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
            client.delete(key)
            client.rpush(key, "secret")
            values = server.dump()
            with pytest.raises(SessionUnreadable, match="'s' of user 'ada'") as error:
                await service.get_session(app_name=APP, user_id=USER, session_id="s")
            assert "secret" not in str(error.value)
            with pytest.raises(SessionUnreadable, match="'s' of user 'ada'"):
                await service.append_event(session, event(state={"user:a": 1, "app:a": 1}))
            assert session.events == []
            if key == "app_state:demo":  # app state is merged first
                assert server.dump() == values
            assert client.lrange(key, 0, -1) == [b"secret"]


async def test_an_index_of_another_type(start: Start) -> None:
    server = start()
    with server.client() as client:
        async with RedisSessionService(server.url) as service:
            session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
            client.delete("user_sessions:demo:ada")
            client.sadd("user_sessions:demo:ada", "s")
            client.expire(KEY, 10)
            before = client.get(KEY)
            with pytest.raises(WrongType, match="of another type"):
                await service.list_sessions(app_name=APP, user_id=USER)
            with pytest.raises(SessionUnreadable):
                await service.append_event(session, event())
            assert client.get(KEY) == before
            with pytest.raises(SessionUnreadable):
                await service.create_session(app_name=APP, user_id=USER, session_id="t")
            assert client.exists("session:demo:ada:t") == 0
            assert client.smembers("user_sessions:demo:ada") == {b"s"}
            assert await service.get_session(app_name=APP, user_id=USER, session_id="s") == session


async def test_a_command_that_the_server_does_not_have(start: Start) -> None:
    """Some hosted servers rename commands. The answer repeats arguments, the message must not."""
    server = start(rename_command="EVALSHA none")
    async with RedisSessionService(server.url) as service:
        with pytest.raises(ServerUnavailable, match="unknown command") as error:
            await service.create_session(app_name=APP, user_id=USER, state={"a": "secret"})
        seen: BaseException | None = error.value
        while seen is not None:
            assert "secret" not in str(seen)
            assert "session:demo" not in str(seen)
            seen = seen.__cause__
