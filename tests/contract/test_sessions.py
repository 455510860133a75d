"""Creating, finding and deleting sessions, as ADK's own services do."""

import asyncio

import pytest
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.sessions.base_session_service import BaseSessionService

from tests.contract.conftest import Backend
from tests.events import event, texts

APP, USER = "demo", "ada"


async def test_create_answers_the_session_with_all_scopes_of_state(
    service: BaseSessionService,
) -> None:
    session = await service.create_session(
        app_name=APP,
        user_id=USER,
        session_id="s1",
        state={"topic": "math", "app:motd": "hi", "user:name": "Ada", "temp:scratch": 1},
    )
    assert (session.app_name, session.user_id, session.id) == (APP, USER, "s1")
    assert session.state == {"topic": "math", "app:motd": "hi", "user:name": "Ada"}
    assert session.events == []
    assert await service.get_session(app_name=APP, user_id=USER, session_id="s1") == session


@pytest.mark.parametrize("session_id", [None, "", "   ", "\n\t"])
async def test_a_blank_id_is_replaced_by_a_new_one(
    service: BaseSessionService, session_id: str | None
) -> None:
    first = await service.create_session(app_name=APP, user_id=USER, session_id=session_id)
    second = await service.create_session(app_name=APP, user_id=USER, session_id=session_id)
    assert first.id
    assert first.id != second.id


async def test_white_space_around_an_id_is_removed(service: BaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, session_id="  s1\n")
    assert session.id == "s1"
    await service.append_event(session, event())
    found = await service.get_session(app_name=APP, user_id=USER, session_id="\ts1 ")
    assert found == session
    with pytest.raises(AlreadyExistsError):
        await service.create_session(app_name=APP, user_id=USER, session_id="s1 ")
    await service.delete_session(app_name=APP, user_id=USER, session_id=" s1 ")
    assert await service.get_session(app_name=APP, user_id=USER, session_id="s1") is None


async def test_an_existing_id_is_rejected_and_nothing_is_written(
    service: BaseSessionService,
) -> None:
    session = await service.create_session(
        app_name=APP, user_id=USER, session_id="s1", state={"a": 1, "app:x": 1, "user:y": 1}
    )
    with pytest.raises(AlreadyExistsError):
        await service.create_session(
            app_name=APP, user_id=USER, session_id="s1", state={"a": 2, "app:x": 2, "user:z": 2}
        )
    assert await service.get_session(app_name=APP, user_id=USER, session_id="s1") == session
    assert await service.get_user_state(app_name=APP, user_id=USER) == {"y": 1}


async def test_concurrent_creates_of_one_id_have_one_winner(backend: Backend) -> None:
    async def create(number: int) -> int | None:
        try:
            await backend.open().create_session(
                app_name=APP, user_id=USER, session_id="s1", state={"winner": number}
            )
        except AlreadyExistsError:
            return None
        return number

    winners = [n for n in await asyncio.gather(*map(create, range(20))) if n is not None]
    session = await backend.service.get_session(app_name=APP, user_id=USER, session_id="s1")
    assert session is not None
    assert winners == [session.state["winner"]]


async def test_the_same_id_names_other_sessions_of_other_users_and_apps(
    service: BaseSessionService,
) -> None:
    names = [("demo", "ada"), ("demo", "bob"), ("other", "ada"), ("demo", "")]
    for app, user in names:
        session = await service.create_session(app_name=app, user_id=user, session_id="s1")
        await service.append_event(session, event(f"{app}/{user}"))
    for app, user in names:
        found = await service.get_session(app_name=app, user_id=user, session_id="s1")
        assert found is not None
        assert texts(found) == [f"{app}/{user}"]
    await service.delete_session(app_name="demo", user_id="ada", session_id="s1")
    assert await service.get_session(app_name="demo", user_id="bob", session_id="s1")


async def test_a_missing_session_is_none(service: BaseSessionService) -> None:
    for session_id in ("nothing", "", "  "):
        found = await service.get_session(app_name=APP, user_id=USER, session_id=session_id)
        assert found is None


async def test_deleting_a_missing_session_is_silent(service: BaseSessionService) -> None:
    await service.delete_session(app_name=APP, user_id=USER, session_id="nothing")


async def test_deleting_leaves_app_and_user_state(service: BaseSessionService) -> None:
    state = {"a": 1, "app:x": 1, "user:y": 1}
    await service.create_session(app_name=APP, user_id=USER, session_id="s1", state=state)
    await service.delete_session(app_name=APP, user_id=USER, session_id="s1")
    again = await service.create_session(app_name=APP, user_id=USER, session_id="s1")
    assert again.state == {"app:x": 1, "user:y": 1}


async def test_an_id_can_be_used_again_after_a_delete(service: BaseSessionService) -> None:
    first = await service.create_session(app_name=APP, user_id=USER, session_id="s1")
    await service.append_event(first, event("old"))
    await service.delete_session(app_name=APP, user_id=USER, session_id="s1")
    second = await service.create_session(app_name=APP, user_id=USER, session_id="s1")
    await service.append_event(second, event("new"))
    found = await service.get_session(app_name=APP, user_id=USER, session_id="s1")
    assert found is not None
    assert texts(found) == ["new"]


async def test_what_one_instance_writes_another_reads(backend: Backend) -> None:
    session = await backend.service.create_session(app_name=APP, user_id=USER)
    await backend.service.append_event(session, event("hello", state={"n": 1}))
    other = backend.open()
    assert await other.get_session(app_name=APP, user_id=USER, session_id=session.id) == session


async def test_a_returned_session_is_a_copy(service: BaseSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER, state={"list": [1]})
    session.state["list"].append(2)
    session.state["other"] = 1
    found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
    assert found is not None
    assert found.state == {"list": [1]}


async def test_flush_can_be_called(service: BaseSessionService) -> None:
    await service.flush()
