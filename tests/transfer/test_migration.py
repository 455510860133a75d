"""`adksess migrate`: what every other session service stored, copied, and continued by ADK."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from google.adk.agents.base_agent import BaseAgent
from google.adk.events.event import Event
from google.adk.runners import Runner
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.adk.sessions.session import Session
from google.genai import types

from adksess import RedisSessionService
from tests.transfer.peers import NAMES, converse
from tests.transfer.record import play_back

Cli = Callable[..., Any]


def _adk(url: str) -> BaseSessionService:
    from google.adk.integrations.redis import RedisSessionService as Theirs
    from google.adk.integrations.redis._config import RedisSessionServiceConfig

    return Theirs(RedisSessionServiceConfig(uri=url))


def _google_adk_redis(url: str) -> BaseSessionService:
    from google_adk_redis import RedisMemorySessionService

    return RedisMemorySessionService(uri=url, share_cache=False)


def _script(client: redis.Redis) -> None:
    """The JSON that a user's script stores, with `session_id` and `app:` keys."""
    service = InMemorySessionService()
    for (app, user, session_id), session in zip(NAMES, asyncio.run(_all(service)), strict=True):
        fields = session.model_dump(mode="json", by_alias=False)
        fields["session_id"] = fields.pop("id")
        client.set(f"session:{app}:{user}:{session_id}", json.dumps(fields), ex=3_600)


async def _all(service: BaseSessionService) -> list[Session]:
    await converse(service)
    return await _read(service)


async def _read(service: BaseSessionService) -> list[Session]:
    found = [
        await service.get_session(app_name=app, user_id=user, session_id=session_id)
        for app, user, session_id in NAMES
    ]
    assert all(found)
    return [session for session in found if session]


def fill(source: redis.Redis, url: str, kind: str) -> None:
    if kind == "adk":
        asyncio.run(converse(_adk(url)))
    elif kind == "google-adk-redis":
        asyncio.run(converse(_google_adk_redis(url)))
    elif kind == "script":
        _script(source)
    else:
        play_back(kind, source)


class Echo(BaseAgent):
    """An agent that needs no model."""

    async def _run_async_impl(self, ctx: Any) -> Any:
        yield Event(
            author=self.name,
            invocation_id=ctx.invocation_id,
            content=types.Content(role="model", parts=[types.Part(text="still here")]),
        )


def _check(url: str, *, tolerance: float = 0.0) -> None:
    """Every session is what ADK's own memory would hold, and ADK continues it."""

    async def check() -> None:
        reference = await _all(InMemorySessionService())
        async with RedisSessionService(url) as service:
            for ours, theirs in zip(await _read(service), reference, strict=True):
                for one, other in zip(ours.events, theirs.events, strict=True):
                    assert one.timestamp == pytest.approx(other.timestamp, abs=tolerance, rel=0)
                    assert one.model_copy(update={"timestamp": other.timestamp}) == other
                assert ours.state == theirs.state
                assert ours.last_update_time == pytest.approx(theirs.last_update_time, abs=1e-5)
                await _go_on(service, ours)

    asyncio.run(check())


async def _go_on(service: BaseSessionService, session: Session) -> None:
    runner = Runner(app_name=session.app_name, agent=Echo(name="agent"), session_service=service)
    message = types.Content(role="user", parts=[types.Part(text="and now?")])
    async for _ in runner.run_async(
        user_id=session.user_id, session_id=session.id, new_message=message
    ):
        pass
    after = await service.get_session(
        app_name=session.app_name, user_id=session.user_id, session_id=session.id
    )
    assert after is not None
    assert after.events[:5] == session.events
    assert [e.author for e in after.events[5:]] == ["user", "agent"]


KINDS = ("adk", "community", "session-services", "google-adk-redis", "script")


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_equal_and_continued(
    cli: Cli, source: redis.Redis, source_url: str, target_url: str, kind: str
) -> None:
    fill(source, source_url, kind)
    before = {key: source.dump(key) for key in source.keys("*")}

    dry = cli("migrate", "--from", source_url, "-r", target_url, "--dry-run")
    assert "Would migrate 3 sessions with 15 events, 8 state values" in dry.out
    with redis.Redis.from_url(target_url) as target:
        assert target.dbsize() == 0

    result = cli("migrate", "--from", source_url, "-r", target_url)
    assert (result.code, result.out) == (
        0,
        "Migrated 3 sessions with 15 events, 8 state values.\n",
    )
    again = cli("migrate", "--from", source_url, "-r", target_url)
    assert again.out.endswith("0 state values, 3 unchanged.\n")
    assert {key: source.dump(key) for key in source.keys("*")} == before
    _check(target_url)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("adk", 604_800), ("community", 3_600), ("session-services", -1), ("script", 3_600)],
)
def test_expiry_and_index(
    cli: Cli,
    source: redis.Redis,
    source_url: str,
    target: redis.Redis,
    target_url: str,
    kind: str,
    seconds: int,
) -> None:
    fill(source, source_url, kind)
    cli("migrate", "--from", source_url, "-r", target_url)
    assert target.ttl("session:demo:ada:one") == pytest.approx(seconds, abs=20)
    assert sorted(target.zrange("user_sessions:demo:ada", 0, -1)) == [b"one", b"two"]
    assert target.ttl("user_sessions:demo:ada") == pytest.approx(seconds, abs=20)
    cli("flush", "--yes", "-r", target_url)
    cli("migrate", "--from", source_url, "-r", target_url, "--ttl", "2h")
    assert target.ttl("session:demo:ada:one") == pytest.approx(7_200, abs=20)


@pytest.mark.parametrize("kind", ["google-adk-redis", "script"])
def test_in_place(cli: Cli, source: redis.Redis, source_url: str, kind: str) -> None:
    fill(source, source_url, kind)
    source.expire("session:demo:ada:one", 500)
    source.set("session:web:3f2a:data", "another program's")
    result = cli("migrate", "--from", source_url, "-r", source_url)
    assert result.out == (
        "Migrated 3 sessions with 15 events, 8 state values, 2 converted in place.\n"
    )
    assert 480 < source.ttl("session:demo:ada:one") <= 500
    assert source.get("session:web:3f2a:data") == b"another program's"
    assert b"one" in source.zrange("user_sessions:demo:ada", 0, -1)
    assert json.loads(source.get("session:demo:ada:one") or b"")["event_count"] == 5
    again = cli("migrate", "--from", source_url, "-r", source_url)
    assert "Migrated 0 sessions" in again.out
    _check(source_url)


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+aiosqlite"])
def test_databases_in_and_out(
    cli: Cli, tmp_path: Path, source_url: str, target_url: str, scheme: str
) -> None:
    with redis.Redis.from_url(source_url) as source:
        fill(source, source_url, "adk")
    cli("migrate", "--from", source_url, "-r", source_url)
    uri = f"{scheme}:///{tmp_path}/sessions.db"
    out = cli("migrate", "--to", uri, "-r", source_url)
    assert out.code == 0
    assert out.out.startswith("Migrated 3 sessions with 15 events, ")
    again = cli("migrate", "--to", uri, "-r", source_url)
    assert again.out == "Migrated 0 sessions with 0 events, 3 unchanged.\n"
    back = cli("migrate", "--from", uri, "-r", target_url)
    assert back.out == "Migrated 3 sessions with 15 events, 8 state values.\n"
    _check(target_url, tolerance=1e-5)  # SQLAlchemy keeps microseconds


def test_an_interrupted_migration_continues(
    cli: Cli, tmp_path: Path, source: redis.Redis, source_url: str
) -> None:
    from google.adk.sessions.sqlite_session_service import SqliteSessionService

    fill(source, source_url, "adk")
    cli("migrate", "--from", source_url, "-r", source_url)
    path = tmp_path / "sessions.db"

    async def half() -> None:
        reference = (await _all(InMemorySessionService()))[0]
        own = {k: v for k, v in reference.state.items() if not k.startswith(("app:", "user:"))}
        service = SqliteSessionService(str(path))
        session = await service.create_session(
            app_name="demo", user_id="ada", session_id="one", state=own
        )
        for event in reference.events[:2]:
            await service.append_event(session, event)

    asyncio.run(half())
    result = cli("migrate", "--to", f"sqlite:///{path}", "-r", source_url)
    assert "Migrated 3 sessions" in result.out
    found = asyncio.run(_read(SqliteSessionService(str(path))))
    assert [len(session.events) for session in found] == [5, 5, 5]


class TestConflicts:
    def test_a_session_that_continued_in_the_target_is_kept(
        self, cli: Cli, source: redis.Redis, source_url: str, target_url: str
    ) -> None:
        fill(source, source_url, "adk")
        cli("migrate", "--from", source_url, "-r", target_url)
        _check(target_url)  # appends to every session
        again = cli("migrate", "--from", source_url, "-r", target_url)
        assert (again.code, "3 unchanged" in again.out) == (0, True)

    def test_new_events_of_the_source_are_added(
        self, cli: Cli, source: redis.Redis, source_url: str, target_url: str
    ) -> None:
        fill(source, source_url, "adk")
        cli("migrate", "--from", source_url, "-r", target_url)

        async def go_on() -> None:
            service = _adk(source_url)
            await _go_on(service, (await _read(service))[0])

        asyncio.run(go_on())
        again = cli("migrate", "--from", source_url, "-r", target_url)
        assert "Migrated 1 session with 7 events" in again.out

    def test_a_different_session_of_the_name_is_reported_and_kept(
        self, cli: Cli, source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
    ) -> None:
        async def create() -> None:
            async with RedisSessionService(target_url) as service:
                session = await service.create_session(
                    app_name="demo", user_id="ada", session_id="one"
                )
                await service.append_event(session, Event(author="user"))

        asyncio.run(create())
        before = target.get("session:demo:ada:one")
        fill(source, source_url, "adk")
        result = cli("migrate", "--from", source_url, "-r", target_url)
        assert result.code == 1
        assert "adk:session:demo:ada:one was not migrated: a different session" in result.err
        assert "Migrated 2 sessions" in result.out
        assert target.get("session:demo:ada:one") == before


class TestUnusable:
    def test_names_that_are_ambiguous_in_a_key(
        self, cli: Cli, source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
    ) -> None:
        source.hset("adk:sessions:a:b:c:s1:meta", mapping={"id": "s1", "last_update_time": 1.5})
        source.set("adk:sessions:a:b:c:s1:state", "{}")
        words = ("migrate", "--from", source_url, "-r", target_url)
        result = cli(*words)
        assert (result.code, "--app" in result.err) == (1, True)
        assert cli(*words, "--app", "a:b").code == 0
        assert target.exists("session:a%3Ab:c:s1")

    def test_an_event_that_adk_rejects(
        self, cli: Cli, source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
    ) -> None:
        fill(source, source_url, "adk")
        text = source.get("adk:session:demo:ada:two") or b""
        source.set(
            "adk:session:demo:ada:two", text.replace(b'"role":"model"', b'"rule":"secret"', 1)
        )
        result = cli("migrate", "--from", source_url, "-r", target_url)
        assert result.code == 1
        assert "content.rule" in result.err
        assert "secret" not in result.err
        assert target.exists("session:demo:ada:one", "session:demo:ada:two") == 1

    def test_a_field_that_adk_does_not_know_is_kept(
        self, cli: Cli, source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
    ) -> None:
        event = {"author": "user", "id": "e", "timestamp": 5.0, "from_the_future": {"x": 1}}
        session = {"id": "s", "app_name": "a", "user_id": "u", "events": [event], "state": {}}
        source.set("adk:session:a:u:s", json.dumps(session))
        assert cli("migrate", "--from", source_url, "-r", target_url).code == 0
        stored = json.loads(target.get("session:a:u:s") or b"")
        assert stored["events"][0]["from_the_future"] == {"x": 1}
        assert cli("migrate", "--from", source_url, "-r", target_url).out.endswith("1 unchanged.\n")


def test_documents_are_copied_unchanged_between_servers(
    cli: Cli, source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
) -> None:
    fill(source, source_url, "adk")
    cli("migrate", "--from", source_url, "-r", source_url)
    source.delete(*source.keys("adk:*"))
    ours = source.keys("session:*")
    result = cli("migrate", "--to", f"{target_url}?prefix=prod:", "-r", source_url)
    assert result.out == "Migrated 3 sessions with 15 events, 8 state values.\n"
    for key in ours:
        assert target.get(b"prod:" + key) == source.get(key)
        assert target.ttl(b"prod:" + key) == pytest.approx(source.ttl(key), abs=2)
    assert cli("migrate", "--to", source_url, "-r", source_url).code == 2
