"""Documents that cannot be read: named and not changed; other sessions stay readable."""

import json

import pytest
import redis
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import GetSessionConfig

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store.errors import SessionUnreadable
from tests.events import event, texts

APP, USER = "demo", "ada"
NEWER = {
    "author": "agent",
    "timestamp": 5.0,
    "actions": {"state_delta": {}, "teleport_to": "secret"},
    "unheard_of": "fine",
}
BAD = {
    "cut": b'{"app_name":"demo","events":[\n{"author":"secret',
    "binary": bytes(range(256)),
    "empty object": b"{}",
    "another program's": b'{"csrf":"secret"}',
    "empty": b"",
    "damaged tail": (
        b'{"events":[\n{}\n],"state":{\n"a":secret\n},"created_at":"x","updated_at":"x"'
        b',"tail_bytes":         87}'
    ),
}


@pytest.fixture
def service(store: SessionStore) -> RedisSessionService:
    return RedisSessionService(store=store)


async def test_a_list_shows_the_other_sessions(
    valkey_url: str, store: SessionStore, service: RedisSessionService
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        for name in BAD:
            await service.create_session(app_name=APP, user_id=USER, session_id=name)
            client.set(store.keys.session(SessionRef(APP, USER, name)), BAD[name])
        await service.create_session(app_name=APP, user_id=USER, session_id="list")
        key = store.keys.session(SessionRef(APP, USER, "list"))
        client.delete(key)
        client.rpush(key, "secret")
        good = await service.create_session(app_name=APP, user_id=USER, session_id="good")
        for user in (USER, None):
            answer = await service.list_sessions(app_name=APP, user_id=user)
            assert answer.sessions == [good]
        by_scan = {one.ref.session_id: one.problem async for b in store.scan() for one in b}
        by_index = {s.ref.session_id: s.problem for s in await store.user_summaries(APP, USER)}
        assert by_scan == by_index
        assert set(by_scan) == {"good", "list", *BAD} - {"empty"}  # handled like a missing key
        assert [name for name, problem in by_scan.items() if not problem] == ["good"]


@pytest.mark.parametrize("name", [name for name in BAD if BAD[name]])
async def test_nothing_is_overwritten(
    valkey_url: str, store: SessionStore, service: RedisSessionService, name: str
) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
    with redis.Redis.from_url(valkey_url) as client:
        key = store.keys.session(SessionRef(APP, USER, "s"))
        client.set(key, BAD[name])
        for config in (None, GetSessionConfig(num_recent_events=1)):
            with pytest.raises(SessionUnreadable, match="'s' of user 'ada'") as error:
                await service.get_session(app_name=APP, user_id=USER, session_id="s", config=config)
            assert "secret" not in str(error.value)
        with pytest.raises(SessionUnreadable, match="'s' of user 'ada'"):
            await service.append_event(session, event())
        assert session.events == []
        assert client.get(key) == BAD[name]
        await service.delete_session(app_name=APP, user_id=USER, session_id="s")
        assert client.exists(key) == 0


async def test_one_bad_event_among_a_thousand_is_named(
    store: SessionStore, service: RedisSessionService
) -> None:
    """A newer ADK's record: the session is listed, its other events can be had."""
    session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
    ref = SessionRef(APP, USER, "s")
    for number in range(1_000):
        given = event(f"{number}", timestamp=float(number)).model_dump(mode="json")
        await store.append(ref, NEWER if number == 500 else given, timestamp=float(number))
    with pytest.raises(SessionUnreadable, match=r"event 501: .*actions\.teleport_to") as error:
        await service.get_session(app_name=APP, user_id=USER, session_id="s")
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None
    answer = await service.list_sessions(app_name=APP, user_id=USER)
    assert [one.id for one in answer.sessions] == ["s"]
    found = await service.get_session(
        app_name=APP,
        user_id=USER,
        session_id="s",
        config=GetSessionConfig(num_recent_events=499),
    )
    assert found is not None
    assert texts(found) == [str(number) for number in range(501, 1_000)]
    await service.append_event(session, event("goes on"))
    value = await store.value(ref)
    assert value is not None
    assert len(json.loads(value)["events"]) == 1_001


async def test_unknown_fields_of_a_newer_adk_are_accepted(
    store: SessionStore, service: RedisSessionService
) -> None:
    await service.create_session(app_name=APP, user_id=USER, session_id="s")
    given = {"author": "agent", "timestamp": 5.0, "unheard_of": 1}
    try:
        Event.model_validate(given)
    except ValueError:
        pytest.skip("this ADK forbids extra fields in an event")
    await store.append(SessionRef(APP, USER, "s"), given, timestamp=5.0)
    found = await service.get_session(app_name=APP, user_id=USER, session_id="s")
    assert found is not None
    assert len(found.events) == 1
