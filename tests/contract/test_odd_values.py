"""Values that a JSON store easily changes, in state, events and names."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions, EventCompaction
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.sessions.session import Session
from google.genai import types

from tests.contract.conftest import IN_REDIS, Backend
from tests.events import event

APP, USER = "demo", "ada"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "empty list": [],
    "empty dict": {},
    "empty text": "",
    "none": None,
    "none in a dict": {"a": None, "b": [None]},
    "true": True,
    "one": 1,
    "one as a float": 1.0,
    "negative zero": -0.0,
    "sum of floats": 0.1 + 0.2,
    "smallest float": 5e-324,
    "largest float": 1.7976931348623157e308,
    "2 to the 53 plus 1": 2**53 + 1,
    "2 to the 64": 2**64,
    "a hundred digits": -(10**100) - 1,
    "newlines": "a\nb\r\n\u2028c\x00d\x1f",
    "quotes": 'say "hi" \\ \\" \\n',
    "json": '{"a":1},\n],"state":{\n},"created_at":"","tail_bytes":        25}',
    "emoji": "👩\u200d👩\u200d👧 ü 中",
    "half an emoji": "\ud83d",
    "undecodable file name": "caf\udce9.txt",
    "deep": nested(190),
    "deeper than pydantic reads": nested(240),
    "lua": "%d %s %1 [[x]] --",
    "long": "é" * 100_000,
}
KEYS = [
    "",
    " ",
    "plain",
    'quo"te',
    "back\\slash",
    "new\nline",
    "com,ma",
    "co:lon",
    '"a":1',
    '","b":',
    "a]",
    "},",
    "created_at",
    "tail_bytes",
    "NUL\x00",
    "ключ",
    "🔑",
    "%1",
    "app",
    "user",
    "temp",
]


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is not 1.0, nor 0.0 -0.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.copysign(1, one) == math.copysign(1, other) and one == other
    return type(one) is type(other) and one == other


async def stored(backend: Backend, session: Session) -> Session:
    found = await backend.open().get_session(
        app_name=session.app_name, user_id=session.user_id, session_id=session.id
    )
    assert found is not None
    return found


@pytest.mark.parametrize("scope", ["", "app:", "user:"])
async def test_every_value_keeps_its_type_in_every_scope(backend: Backend, scope: str) -> None:
    state = {scope + name: value for name, value in VALUES.items()}
    created = await backend.service.create_session(app_name=APP, user_id=USER, state=state)
    assert same(created.state, state)
    assert same((await stored(backend, created)).state, state)

    session = await backend.service.create_session(app_name=APP, user_id="bob")
    await backend.service.append_event(session, event(state=state))
    found = await stored(backend, session)
    assert same(found.state, state)
    assert same(found.events[0].actions.state_delta, state)
    assert found == session


async def test_a_number_of_more_digits_than_python_prints(backend: Backend) -> None:
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    await backend.service.append_event(session, event(state={"n": 10**5_000 + 7}))
    assert same((await stored(backend, session)).state, {"n": 10**5_000 + 7})
    assert await stored(backend, session) == session


@pytest.mark.parametrize("scope", ["", "app:", "user:"])
async def test_every_key_is_distinct(backend: Backend, scope: str) -> None:
    service = backend.service
    session = await service.create_session(app_name=APP, user_id=USER)
    for number, key in enumerate(KEYS):
        await service.append_event(session, event(state={scope + key: number}))
    expected = {scope + key: number for number, key in enumerate(KEYS)}
    assert (await stored(backend, session)).state == expected
    for number, key in enumerate(reversed(KEYS)):
        await service.append_event(session, event(state={scope + key: [number]}))
    expected = {scope + key: [number] for number, key in enumerate(reversed(KEYS))}
    found = await stored(backend, session)
    assert found.state == expected
    assert found == session


async def test_a_state_that_shrinks_and_grows_again(backend: Backend) -> None:
    service = backend.service
    session = await service.create_session(app_name=APP, user_id=USER, state={"a": "x" * 100_000})
    for size in (0, 10, 100_000, 1, 1, 50_000, 0, 0, 0, 200_000, 3):
        await service.append_event(session, event(state={"a": "y" * size, "b": size}))
        assert (await stored(backend, session)) == session
    await service.append_event(session, event(state={"a": "", "b": None}))
    found = await stored(backend, session)
    assert found.state == {"a": "", "b": None}
    assert found == session


async def test_an_event_with_everything(backend: Backend) -> None:
    given = Event(
        author="agent",
        invocation_id="i-1",
        id="e-1",
        timestamp=1795345308.1932337,
        branch="root.child",
        long_running_tool_ids={"t1"},
        turn_complete=True,
        error_code="429",
        error_message="slow down",
        custom_metadata={"a": [1, 1.0, {}, None]},
        content=types.Content(
            role="model",
            parts=[
                types.Part(text="text\nwith lines"),
                types.Part(
                    inline_data=types.Blob(data=bytes(range(256)), mime_type="image/png"),
                    thought_signature=b"\xfb\xff\xfe\x00",
                ),
                types.Part(function_call=types.FunctionCall(id="c", name="f", args={"x": []})),
                types.Part(
                    function_response=types.FunctionResponse(
                        id="c", name="f", response={"result": None, "n": 2**60}
                    )
                ),
            ],
        ),
        actions=EventActions(
            state_delta={"a": 1},
            artifact_delta={"file.txt": 3},
            transfer_to_agent="other",
            escalate=True,
            rewind_before_invocation_id="i-0",
            compaction=EventCompaction(
                start_timestamp=0.1 + 0.2,
                end_timestamp=1795345308.1932334,
                compacted_content=types.Content(role="model", parts=[types.Part(text="short")]),
            ),
        ),
    )
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    await backend.service.append_event(session, given)
    found = await stored(backend, session)
    assert found.events == [given]
    assert found == session


async def test_text_that_is_not_unicode(backend: Backend) -> None:
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    await backend.service.append_event(session, event("half \ud83d and \udce9"))
    assert await stored(backend, session) == session


# ADK's in-memory service keeps Python objects
@pytest.mark.parametrize("backend", IN_REDIS, indirect=True)
async def test_values_that_json_lacks_are_converted_as_in_adk(backend: Backend) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    state = {
        "when": moment,
        "set": {3},
        "tuple": (1, 2),
        "bytes": b"plain",
        "nan": float("nan"),
        "infinity": [float("inf"), -float("inf")],
        "numbers as keys": {1: "a", 2.5: "b"},
    }
    plain = {
        "when": "2026-01-02T03:04:05Z",
        "set": [3],
        "tuple": [1, 2],
        "bytes": "plain",
        "nan": None,
        "infinity": [None, None],
        "numbers as keys": {"1": "a", "2.5": "b"},
    }
    created = await backend.service.create_session(app_name=APP, user_id=USER, state=state)
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    await backend.service.append_event(session, event(state=state))
    assert (await stored(backend, created)).state == plain
    found = await stored(backend, session)
    assert found.state == plain
    assert found.events[0].actions.state_delta.keys() == plain.keys()


@pytest.mark.parametrize("backend", IN_REDIS, indirect=True)
async def test_what_cannot_be_stored_is_rejected_before_anything_is_written(
    backend: Backend,
) -> None:
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    for given in (
        event("secret", timestamp=float("nan"), state={"app:a": 1}),
        event("secret", timestamp=float("inf"), state={"user:a": 1}),
        event("secret", state={"deep": nested(1_000), "app:a": 1}),
    ):
        with pytest.raises(ValueError, match=r".") as error:
            await backend.service.append_event(session, given)
        assert "secret" not in str(error.value)
    assert session.events == []
    assert await stored(backend, session) == session


NAMES = [
    "a:b",
    "a",
    "b:a",
    "*",
    "a*",
    "?",
    "[ab]",
    "a\\",
    "%",
    "%3A",
    "a%3Ab",
    "{a}",
    "{",
    "a b",
    "NUL\x00",
    "new\nline",
    "🦊",
    "é",
    "e\u0301",
    "session",
    "x" * 10_000,
    "",
]


async def test_hostile_names_never_collide(service: BaseSessionService) -> None:
    names = [(app, user) for app in NAMES[:6] for user in NAMES] + [(app, "u") for app in NAMES]
    names = list(dict.fromkeys(names))
    for number, (app, user) in enumerate(names):
        await service.create_session(
            app_name=app,
            user_id=user,
            session_id="s",
            state={"number": number, "app:of": app, "user:of": [app, user]},
        )
    for number, (app, user) in enumerate(names):
        expected = {"number": number, "app:of": app, "user:of": [app, user]}
        found = await service.get_session(app_name=app, user_id=user, session_id="s")
        assert found is not None
        assert found.state == expected
        listed = (await service.list_sessions(app_name=app, user_id=user)).sessions
        assert [one.state for one in listed] == [expected]
    for app in NAMES:
        of_app = (await service.list_sessions(app_name=app)).sessions
        assert {one.user_id for one in of_app} == {u for a, u in names if a == app}


async def test_hostile_session_ids_never_collide(service: BaseSessionService) -> None:
    ids = [name for name in NAMES if name.strip()]
    for session_id in ids:
        session = await service.create_session(app_name=APP, user_id=USER, session_id=session_id)
        await service.append_event(session, event(state={"id": session_id}))
    for session_id in ids:
        found = await service.get_session(app_name=APP, user_id=USER, session_id=session_id)
        assert found is not None
        assert found.state == {"id": session_id}
    listed = (await service.list_sessions(app_name=APP, user_id=USER)).sessions
    assert sorted(one.id for one in listed) == sorted(ids)
    for session_id in ids:
        await service.delete_session(app_name=APP, user_id=USER, session_id=session_id)
    assert (await service.list_sessions(app_name=APP)).sessions == []
