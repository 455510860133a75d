"""Copies and forks of sessions: every prefix equals a session with the same events appended."""

import asyncio
import json
from typing import Any

import pytest
import redis
from google.adk.agents.base_agent import BaseAgent
from google.adk.runners import Runner
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store.errors import SessionExists, SessionNotFound
from adksess.store.models import TITLE_KEY
from adksess.transfer.copy import CopyOptions, EventNotFound, copy_session
from tests.scripted import APP, converse, use_script

REF = SessionRef(APP, "ada", "trip")


async def _get(service: RedisSessionService, ref: SessionRef) -> Session:
    session = await service.get_session(
        app_name=ref.app_name, user_id=ref.user_id, session_id=ref.session_id
    )
    assert session is not None
    return session


async def _rewound(service: RedisSessionService, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A conversation with tools, bytes and a sub-agent, with one rewind."""
    use_script(monkeypatch)
    state = {"given": 1, "turns": {"deep": [None]}, "none": None}
    await converse(service, "trip", state=state)
    session = await _get(service, REF)
    runner = Runner(app_name=APP, agent=BaseAgent(name="x"), session_service=service)
    target = session.events[6].invocation_id
    await runner.rewind_async(user_id="ada", session_id="trip", rewind_before_invocation_id=target)
    await service.append_event(
        await _get(service, REF), session.events[0].model_copy(update={"id": "last"})
    )
    return await _get(service, REF)


async def test_every_prefix_equals_a_session_built_by_appending(
    target: redis.Redis, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RedisSessionService(target_url) as service:
        original = await _rewound(service, monkeypatch)
        before = target.dump("session:concierge:ada:trip")
        given = {"given": 1, "turns": {"deep": [None]}, "none": None}
        assert len(original.events) > 18
        for count in range(len(original.events) + 1):
            options = CopyOptions(session_id=f"fork-{count}", before=count + 1)
            result = await copy_session(service.store, REF, options)
            fork = await _get(service, result.ref)
            built = await service.create_session(
                app_name=APP, user_id="ada", session_id=f"built-{count}", state=dict(given)
            )
            for event in original.events[:count]:
                await service.append_event(built, event.model_copy(deep=True))
            built = await _get(service, REF._replace(session_id=f"built-{count}"))
            assert fork.events == built.events
            origin = fork.state.pop(TITLE_KEY)
            assert origin["forkedFrom"]["sessionId"] == "trip"
            assert origin["forkedFrom"]["eventCount"] == count
            # a rewind clears what was given at creation; then later events have set these keys
            lost = set(result.unknown) & given.keys()
            assert fork.state == {k: v for k, v in built.state.items() if k not in lost}
            if count:
                assert fork.last_update_time == built.last_update_time
            assert fork.events == original.events[:count]
        assert target.dump("session:concierge:ada:trip") == before


async def test_a_fork_continues_independently(
    target: redis.Redis, target_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_script(monkeypatch)
    async with RedisSessionService(target_url) as service:
        await converse(service, "trip", state={"given": 1})
        original = await _get(service, REF)
        invocation = original.events[2].invocation_id
        options = CopyOptions(before=invocation, ttl=900)
        result = await copy_session(service.store, REF, options)
        assert result.event_count == 2
        assert result.unknown == ["cities"]
        fork = await _get(service, result.ref)
        assert fork.state.keys() == {"given", TITLE_KEY, "user:last_city"}
        summary, source = await service.store.summaries([result.ref, REF])
        assert summary.title == source.title is not None
        empty = await copy_session(service.store, REF, CopyOptions(before=1))
        (summary,) = await service.store.summaries([empty.ref])
        assert summary.tail is not None
        assert summary.tail.title == "", "the next message of the user becomes the title"
        for event in original.events[2:6]:
            await service.append_event(fork, event.model_copy(deep=True))
        again = await _get(service, result.ref)
        assert again.events == original.events[:6]
        assert again.state["cities"] == original.state["cities"]
        assert await _get(service, REF) == original
        key = f"session:concierge:ada:{result.ref.session_id}"
        assert 850 < target.ttl(key) <= 900, "its own TTL, kept at every append"


async def test_to_another_user_app_and_redis(
    source: redis.Redis, source_url: str, target: redis.Redis, target_url: str
) -> None:
    ref = SessionRef("demo", "ada", "one")
    async with SessionStore(source_url) as store, SessionStore(target_url, prefix="p:") as other:
        await store.create(ref, ttl=500)
        event: dict[str, Any] = {"id": "e", "timestamp": 1.5}
        event["actions"] = {"state_delta": {"user:name": "Ada"}}
        await store.append(ref, event, timestamp=1.5)
        result = await copy_session(store, ref, CopyOptions(user_id="bob", app_name="shop"))
        assert result.ref == ("shop", "bob", "one")
        assert result.shared
        assert json.loads(source.get("session:shop:bob:one") or b"")["app_name"] == "shop"
        assert 400 < source.ttl("session:shop:bob:one") <= 500
        result = await copy_session(store, ref, CopyOptions(ttl=0), other)
        assert result.ref == ref
        assert target.ttl("p:session:demo:ada:one") == -1
        assert await other.not_indexed([ref]) == []
        with pytest.raises(SessionExists):
            await copy_session(store, ref, CopyOptions(), other)
        with pytest.raises(SessionExists):
            await copy_session(store, ref, CopyOptions(session_id="one"))
        same = await copy_session(store, ref, CopyOptions())
        assert same.ref.user == ref.user
        assert not same.shared


async def test_missing_names_are_errors(target: redis.Redis, target_url: str) -> None:
    async with SessionStore(target_url) as store:
        with pytest.raises(SessionNotFound):
            await copy_session(store, REF, CopyOptions())
        await store.create(REF)
        for before in (0, 2, -1, "nowhere"):
            with pytest.raises(EventNotFound):
                await copy_session(store, REF, CopyOptions(before=before))
        assert target.keys("session:*") == [b"session:concierge:ada:trip"]


def test_of_many_copies_to_one_name_one_is_stored(target: redis.Redis, target_url: str) -> None:
    async def race() -> list[object]:
        async with SessionStore(target_url) as store:
            await store.create(REF)
            options = CopyOptions(session_id="copy")
            return await asyncio.gather(
                *(copy_session(store, REF, options) for _ in range(10)), return_exceptions=True
            )

    results = asyncio.run(race())
    assert sum(isinstance(result, SessionExists) for result in results) == 9
