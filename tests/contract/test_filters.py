"""Reading the end of a history: `num_recent_events`, `after_timestamp`, and both."""

import pytest
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig
from google.adk.sessions.in_memory_session_service import InMemorySessionService
from google.adk.sessions.session import Session

from tests.events import event, texts

APP, USER = "demo", "ada"
TIMES = [10.0, 20.0, 30.0, 25.0, 40.0, 40.0, 35.5, 50.0]
FILTERS = [
    *({"num_recent_events": n} for n in (0, 1, 3, 8, 9, 10_000)),
    *({"after_timestamp": t} for t in (0.0, 20.0, 25.0, 35.5, 40.0, 50.0, 50.1)),
    *({"after_timestamp": t} for t in (float("inf"), float("-inf"), float("nan"))),
    {"num_recent_events": 0, "after_timestamp": 0.0},
    {"num_recent_events": 2, "after_timestamp": 0.0},
    {"num_recent_events": 7, "after_timestamp": 40.0},
    {},
]


async def fill(service: BaseSessionService, padding: int = 0) -> Session:
    session = await service.create_session(
        app_name=APP, user_id=USER, session_id="s1", state={"a": 1, "app:b": 2, "user:c": 3}
    )
    for number, timestamp in enumerate(TIMES):
        given = event(f"event {number} " + "x" * padding, timestamp=timestamp, id=f"e{number}")
        await service.append_event(session, given)
    return session


@pytest.mark.parametrize("padding", [0, 15_000], ids=["short", "long"])
async def test_filters_choose_the_events_that_the_reference_chooses(
    service: BaseSessionService, padding: int
) -> None:
    reference = InMemorySessionService()
    await fill(reference, padding)
    await fill(service, padding)
    for options in FILTERS:
        name = {"app_name": APP, "user_id": USER, "session_id": "s1"}
        config = GetSessionConfig(**options)
        expected = await reference.get_session(**name, config=config)
        found = await service.get_session(**name, config=config)
        assert expected is not None
        assert found is not None
        assert texts(found) == texts(expected), options
        assert found.state == expected.state
        assert found.last_update_time == expected.last_update_time


@pytest.mark.parametrize("options", [{"num_recent_events": 0}, {"num_recent_events": 2}])
async def test_an_append_after_a_filtered_read_keeps_the_whole_history(
    service: BaseSessionService, options: dict[str, int]
) -> None:
    await fill(service)
    name = {"app_name": APP, "user_id": USER, "session_id": "s1"}
    part = await service.get_session(**name, config=GetSessionConfig(**options))
    assert part is not None
    await service.append_event(part, event("new", state={"new": True}))
    whole = await service.get_session(**name)
    assert whole is not None
    assert len(whole.events) == len(TIMES) + 1
    assert texts(whole)[-1] == "new"
    assert whole.state == {"a": 1, "app:b": 2, "user:c": 3, "new": True}


async def test_filters_of_a_session_without_events(service: BaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, state={"a": 1})
    for options in FILTERS:
        found = await service.get_session(
            app_name=APP, user_id=USER, session_id=session.id, config=GetSessionConfig(**options)
        )
        assert found == session, options


async def test_filters_of_a_missing_session(service: BaseSessionService) -> None:
    for options in FILTERS:
        found = await service.get_session(
            app_name=APP, user_id=USER, session_id="none", config=GetSessionConfig(**options)
        )
        assert found is None


async def test_one_event_longer_than_any_first_read(service: BaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER)
    await service.append_event(session, event("x" * 3_000_000, timestamp=1.0))
    await service.append_event(session, event("y" * 500_000, timestamp=2.0))
    for options in ({"num_recent_events": 1}, {"num_recent_events": 2}, {"after_timestamp": 1.0}):
        found = await service.get_session(
            app_name=APP, user_id=USER, session_id=session.id, config=GetSessionConfig(**options)
        )
        assert found is not None
        expected = session.events[-options.get("num_recent_events", 2) :]
        assert found.events == expected
