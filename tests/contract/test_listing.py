"""Listing sessions: which ones, in which order, with which fields."""

from google.adk.sessions.base_session_service import BaseSessionService

from tests.contract.conftest import Backend
from tests.events import event


async def create(service: BaseSessionService, user: str, session_id: str, at: float) -> None:
    session = await service.create_session(app_name="demo", user_id=user, session_id=session_id)
    await service.append_event(session, event(timestamp=at, state={"at": at}))


async def test_listed_sessions_have_state_and_no_events(service: BaseSessionService) -> None:
    session = await service.create_session(
        app_name="demo", user_id="ada", state={"a": [], "app:b": 1.0, "user:c": None}
    )
    await service.append_event(session, event(state={"__session_metadata__": {"displayName": "x"}}))
    (found,) = (await service.list_sessions(app_name="demo", user_id="ada")).sessions
    assert found == session.model_copy(update={"events": []})
    assert type(found.state["app:b"]) is float


async def test_none_means_every_user_and_the_empty_name_is_a_user(
    service: BaseSessionService,
) -> None:
    for user in ("ada", "bob", ""):
        await create(service, user, f"of-{user}", 5.0)
    await service.create_session(app_name="other", user_id="ada", session_id="elsewhere")

    async def ids(user: str | None) -> list[str]:
        answer = await service.list_sessions(app_name="demo", user_id=user)
        return [session.id for session in answer.sessions]

    assert await ids(None) == ["of-", "of-ada", "of-bob"]
    assert await ids("ada") == ["of-ada"]
    assert await ids("") == ["of-"]
    assert await ids("unknown") == []
    assert (await service.list_sessions(app_name="nothing")).sessions == []


async def test_the_order_is_by_update_time_then_user_then_id(service: BaseSessionService) -> None:
    await create(service, "bob", "b", 5.0)
    await create(service, "bob", "a", 5.0)
    await create(service, "ada", "z", 5.0)
    await create(service, "zoe", "first", 1.0)
    await create(service, "ada", "last", 9.0)
    found = (await service.list_sessions(app_name="demo")).sessions
    assert [(s.user_id, s.id) for s in found] == [
        ("zoe", "first"),
        ("ada", "z"),
        ("bob", "a"),
        ("bob", "b"),
        ("ada", "last"),
    ]
    of_bob = (await service.list_sessions(app_name="demo", user_id="bob")).sessions
    assert [s.id for s in of_bob] == ["a", "b"]


async def test_each_user_sees_their_own_state(service: BaseSessionService) -> None:
    for user in ("ada", "bob"):
        await service.create_session(
            app_name="demo", user_id=user, state={"user:name": user, "app:last": user}
        )
    found = (await service.list_sessions(app_name="demo")).sessions
    assert sorted((s.user_id, s.state["user:name"], s.state["app:last"]) for s in found) == [
        ("ada", "ada", "bob"),
        ("bob", "bob", "bob"),
    ]


async def test_a_deleted_session_is_not_listed(backend: Backend) -> None:
    service = backend.service
    for session_id in ("a", "b", "c"):
        await create(service, "ada", session_id, 1.0)
    await service.delete_session(app_name="demo", user_id="ada", session_id="b")
    for user in ("ada", None):
        answer = await backend.open().list_sessions(app_name="demo", user_id=user)
        assert [s.id for s in answer.sessions] == ["a", "c"]


async def test_evaluation_sessions_are_listed_like_others(service: BaseSessionService) -> None:
    for session_id in ("adk-eval-session-1", "___eval___session___2", "plain"):
        await create(service, "ada", session_id, 1.0)
    answer = await service.list_sessions(app_name="demo", user_id="ada")
    assert len(answer.sessions) == 3


async def test_many_sessions_of_one_user(service: BaseSessionService) -> None:
    for number in range(130):
        await service.create_session(app_name="demo", user_id="ada", session_id=f"s{number}")
    for user in ("ada", None):
        answer = await service.list_sessions(app_name="demo", user_id=user)
        assert {s.id for s in answer.sessions} == {f"s{number}" for number in range(130)}
