"""Every operation of the service, and of the store, in turn."""

from google.adk.sessions.base_session_service import GetSessionConfig

from adksess import RedisSessionService, SessionRef, SessionStore
from adksess.store.state import StateDelta
from tests.events import event, texts

APP, USER = "demo", "ada"


async def converse(service: RedisSessionService, session_id: str = "s") -> None:
    """A session from its creation to its end."""
    name = {"app_name": APP, "user_id": USER, "session_id": session_id}
    session = await service.create_session(**name, state={"a": 1, "app:b": 2, "user:c": 3})
    for number in range(3):
        state = {"n": number, "app:n": number, "user:n": number}
        await service.append_event(session, event(f"{number}", state=state))
    assert await service.get_session(**name) == session
    part = await service.get_session(**name, config=GetSessionConfig(num_recent_events=2))
    assert part is not None
    assert texts(part) == ["1", "2"]
    for user in (USER, None):
        listed = (await service.list_sessions(app_name=APP, user_id=user)).sessions
        assert session_id in [one.id for one in listed]
    assert await service.get_user_state(app_name=APP, user_id=USER) == {"c": 3, "n": 2}

    ref = SessionRef(APP, USER, session_id)
    assert await service.store.set_expiry(ref, 0)
    assert await service.store.set_expiry(ref, 600)
    await service.delete_session(**name)
    assert await service.get_session(**name) is None
    listed = (await service.list_sessions(app_name=APP, user_id=USER)).sessions
    assert session_id not in [one.id for one in listed]


async def manage(store: SessionStore) -> None:
    """The operations that only commands use."""
    ref = SessionRef(APP, USER, "managed")
    await store.create(ref, StateDelta({"a": 1}, app={"b": 2}, user={"c": 3}))
    info = await store.check()
    assert info.latency_ms > 0
    assert await store.key_count() > 0
    scanned = [one async for batch in store.scan() for one in batch]
    assert ref in [one.ref for one in scanned]
    (summary,) = await store.summaries([ref])
    await store.index_sessions([summary])
    await store.audit(fix=True)
    assert await store.find(["managed"]) == [[ref]]
    assert await store.expired("managed") == []
    assert await store.value(ref)
    assert await store.delete([ref]) == 1
    assert await store.delete_state(APP, USER) == 1
    assert await store.delete_state(APP) == 1
