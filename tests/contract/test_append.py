"""Appending events: what is stored, how the caller's session changes, what is rejected."""

import pytest
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.sessions.session import Session

from tests.contract.conftest import Backend
from tests.events import event, texts

APP, USER = "demo", "ada"


async def stored(service: BaseSessionService, session: Session) -> Session:
    found = await service.get_session(
        app_name=session.app_name, user_id=session.user_id, session_id=session.id
    )
    assert found is not None
    return found


@pytest.fixture
async def session(service: BaseSessionService) -> Session:
    return await service.create_session(app_name=APP, user_id=USER)


async def test_the_callers_session_equals_the_stored_one(
    service: BaseSessionService, session: Session
) -> None:
    for number in range(5):
        given = event(f"turn {number}", author="agent", state={"turn": number, "user:n": number})
        assert await service.append_event(session, given) is given
    assert texts(session) == [f"turn {number}" for number in range(5)]
    assert session.state == {"turn": 4, "user:n": 4}
    assert await stored(service, session) == session


async def test_the_update_time_is_the_events(service: BaseSessionService, session: Session) -> None:
    for timestamp in (1795345308.1932337, 1795345308.1932340, 12.5, 0.1 + 0.2, 1e-7, 4e9):
        await service.append_event(session, event(timestamp=timestamp))
        assert session.last_update_time == timestamp
        found = await stored(service, session)
        assert found.last_update_time == timestamp
        assert found.events[-1].timestamp == timestamp


async def test_a_partial_event_is_not_stored(service: BaseSessionService, session: Session) -> None:
    partial = event("half", partial=True, state={"a": 1, "temp:b": 2})
    assert await service.append_event(session, partial) is partial
    assert partial.actions.state_delta == {"a": 1, "temp:b": 2}
    assert session.events == []
    assert session.state == {}
    assert (await stored(service, session)).events == []


async def test_temp_state_stays_in_the_callers_session_and_is_never_stored(
    service: BaseSessionService, session: Session
) -> None:
    given = event(state={"kept": 1, "temp:scratch": [1]})
    await service.append_event(session, given)
    assert session.state == {"kept": 1, "temp:scratch": [1]}
    assert given.actions.state_delta == {"kept": 1}
    found = await stored(service, session)
    assert found.state == {"kept": 1}
    assert found.events == [given]


async def test_appending_to_a_missing_session_is_an_error(service: BaseSessionService) -> None:
    ghost = Session(app_name=APP, user_id=USER, id="ghost")
    given = event(state={"a": 1, "app:x": 1, "user:y": 1, "temp:z": 1})
    with pytest.raises(SessionNotFoundError):
        await service.append_event(ghost, given)
    assert ghost == Session(app_name=APP, user_id=USER, id="ghost")
    assert given.actions.state_delta == {"a": 1, "app:x": 1, "user:y": 1, "temp:z": 1}
    assert await service.get_session(app_name=APP, user_id=USER, session_id="ghost") is None
    assert await service.get_user_state(app_name=APP, user_id=USER) == {}
    fresh = await service.create_session(app_name=APP, user_id=USER)
    assert fresh.state == {}


async def test_appending_after_a_delete_does_not_bring_the_session_back(
    service: BaseSessionService, session: Session
) -> None:
    await service.append_event(session, event())
    await service.delete_session(app_name=APP, user_id=USER, session_id=session.id)
    with pytest.raises(SessionNotFoundError):
        await service.append_event(session, event("late"))
    assert len(session.events) == 1
    found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
    assert found is None


@pytest.mark.parametrize("position", [0, 3, -1])
async def test_a_duplicate_event_is_not_stored(
    service: BaseSessionService, session: Session, position: int
) -> None:
    given = [event(f"event {n}", state={"last": n, "user:last": n}) for n in range(6)]
    for one in given:
        await service.append_event(session, one)
    before = session.model_copy(deep=True)
    again = given[position].model_copy(deep=True)
    assert await service.append_event(session, again) == again
    assert session == before
    assert await stored(service, session) == before


async def test_a_duplicate_appended_to_a_stale_copy_does_not_change_the_copy(
    service: BaseSessionService, session: Session
) -> None:
    stale = await stored(service, session)
    given = event("once", state={"a": 1})
    await service.append_event(session, given)
    await service.append_event(stale, given)
    assert stale.events == []
    assert len((await stored(service, session)).events) == 1


async def test_different_events_with_one_id_are_kept(
    service: BaseSessionService, session: Session
) -> None:
    for number in range(3):
        await service.append_event(session, event(f"event {number}", id="same", timestamp=7.0))
    found = await stored(service, session)
    assert texts(found) == ["event 0", "event 1", "event 2"]
    assert found == session


async def test_events_without_an_id_are_compared_by_content(
    service: BaseSessionService, session: Session
) -> None:
    for text in ("one", "two", "one"):
        given = event(text, timestamp=7.0)
        given.id = given.invocation_id = ""
        await service.append_event(session, given)
    assert texts(await stored(service, session)) == ["one", "two"]


async def test_events_are_kept_in_the_order_of_their_arrival(
    service: BaseSessionService, session: Session
) -> None:
    times = [5.0, 3.0, 9.0, 9.0, 1.0, 7.0]
    for number, timestamp in enumerate(times):
        await service.append_event(session, event(f"event {number}", timestamp=timestamp))
    found = await stored(service, session)
    assert [one.timestamp for one in found.events] == times
    assert found.last_update_time == 7.0
    assert found == session


async def test_a_stale_copy_appends_and_loses_nothing(
    service: BaseSessionService, session: Session
) -> None:
    stale = await stored(service, session)
    await service.append_event(session, event("first", state={"a": 1}))
    await service.append_event(stale, event("second", state={"b": 2}))
    found = await stored(service, session)
    assert texts(found) == ["first", "second"]
    assert found.state == {"a": 1, "b": 2}
    assert texts(stale) == ["second"]
    assert stale.state == {"b": 2}


async def test_two_instances_append_in_turn(backend: Backend) -> None:
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    other = backend.open()
    for number in range(10):
        service = (backend.service, other)[number % 2]
        await service.append_event(session, event(f"{number}", state={f"k{number}": number}))
    found = await stored(other, session)
    assert found == session
    assert texts(found) == [str(number) for number in range(10)]


async def test_an_event_without_content_or_delta(
    service: BaseSessionService, session: Session
) -> None:
    bare = Event(author="agent")
    await service.append_event(session, bare)
    assert (await stored(service, session)).events == [bare]


async def test_a_long_history(service: BaseSessionService, session: Session) -> None:
    for number in range(300):
        await service.append_event(session, event(f"{number} {'x' * 400}", state={"n": number}))
    assert await stored(service, session) == session
