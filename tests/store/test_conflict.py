"""`conflict=reject`: a turn that began with an older history is rejected."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.adk.errors import StaleSessionError
from google.adk.sessions.base_session_service import GetSessionConfig
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionStore
from adksess.store.connect import Client, new_client
from adksess.store.settings import Settings
from tests.events import event, texts

APP, USER = "demo", "ada"


@pytest.fixture
async def service(valkey_url: str) -> AsyncIterator[RedisSessionService]:
    url = f"{valkey_url}?conflict=reject&prefix=t{uuid.uuid4().hex}:"
    async with RedisSessionService(url) as service:
        yield service


async def read(service: RedisSessionService, **config: Any) -> Session:
    found = await service.get_session(
        app_name=APP, user_id=USER, session_id="s", config=GetSessionConfig(**config)
    )
    assert found is not None
    return found


async def test_the_later_of_two_turns_is_rejected(service: RedisSessionService) -> None:
    first = await service.create_session(app_name=APP, user_id=USER, session_id="s")
    second = await read(service)
    await service.append_event(first, event("one", state={"a": 1}))
    rejected = event("two", state={"a": 2, "app:b": 2, "user:c": 2, "temp:d": 2})
    with pytest.raises(StaleSessionError, match="has 1 events, 0 were expected"):
        await service.append_event(second, rejected)
    assert second.events == []
    assert second.state == {}
    assert rejected.actions.state_delta == {"a": 2, "app:b": 2, "user:c": 2, "temp:d": 2}
    found = await read(service)
    assert texts(found) == ["one"]
    assert found.state == {"a": 1}
    await service.append_event(found, rejected)
    assert texts(await read(service)) == ["one", "two"]


async def test_one_writer_has_no_conflict_with_itself(service: RedisSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
    for number in range(5):
        await service.append_event(session, event(f"{number}"))
    for config in ({"num_recent_events": 0}, {"num_recent_events": 2}, {"after_timestamp": 1e12}):
        session = await read(service, **config)
        await service.append_event(session, event("after a filtered read"))
        await service.append_event(session.model_copy(deep=True), event("through a copy"))
    assert len((await read(service)).events) == 11


async def test_a_duplicate_is_not_a_conflict(service: RedisSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
    stale = await read(service)
    given = event("once")
    await service.append_event(session, given)
    await service.append_event(session, event("more"))
    await service.append_event(stale, given)
    assert len((await read(service)).events) == 2


async def test_a_session_that_no_service_read_is_not_checked(service: RedisSessionService) -> None:
    """ADK's evaluation makes Session objects by hand."""
    await service.create_session(app_name=APP, user_id=USER, session_id="s")
    by_hand = Session(app_name=APP, user_id=USER, id="s")
    await service.append_event(by_hand, event("one"))
    await service.append_event(by_hand, event("two"))
    assert len((await read(service)).events) == 2


async def test_by_default_both_are_kept(valkey_url: str) -> None:
    async with RedisSessionService(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as service:
        first = await service.create_session(app_name=APP, user_id=USER, session_id="s")
        second = await read(service)
        await service.append_event(first, event("one", state={"a": 1}))
        await service.append_event(second, event("two", state={"b": 2}))
        found = await read(service)
        assert texts(found) == ["one", "two"]
        assert found.state == {"a": 1, "b": 2}


@pytest.mark.parametrize("conflict", ["append", "reject"])
async def test_an_append_is_one_command(valkey_url: str, conflict: str) -> None:
    """The check, the duplicate check, the merge of every scope, the expiry: one round trip."""
    sent: list[str] = []

    def connect(settings: Settings) -> Client:
        client = new_client(settings)
        execute = client.execute_command

        async def counted(*command: Any, **options: Any) -> Any:
            sent.append(command[0])
            return await execute(*command, **options)

        client.execute_command = counted  # type: ignore[method-assign]
        return client

    settings = Settings.parse(f"{valkey_url}?conflict={conflict}", prefix=f"t{uuid.uuid4().hex}:")
    async with RedisSessionService(store=SessionStore(settings, connect=connect)) as service:
        session = await service.create_session(app_name=APP, user_id=USER, session_id="s")
        await service.append_event(session, event("loads the script"))
        sent.clear()
        for number in range(10):
            state = {"a": number, "app:b": number, "user:c": number}
            await service.append_event(session, event(f"{number}", state=state))
    assert sent == ["EVALSHA"] * 10
