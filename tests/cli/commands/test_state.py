"""`adksess state`: values of sessions, users and apps."""

import asyncio
import json
from typing import Any

import pytest
import redis
from google.adk.sessions.in_memory_session_service import InMemorySessionService

from adksess import RedisSessionService
from tests.cli.sessions import store_session
from tests.conftest import Run


@pytest.fixture
def state(cli: Run, target: redis.Redis, target_url: str) -> Any:
    store_session(
        target_url, "demo", "ada", "8e42aa", texts=("a",), state={"k": [1]}, user_state={"n": "A"}
    )
    target.hset("app_state:demo", "limit", "3")

    def run(*words: object, columns: int = 80) -> Any:
        return cli("state", *words, "-r", target_url, columns=columns)

    return run


def _stored(target: redis.Redis) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(target.get("session:demo:ada:8e42aa") or b"")
    return document


class TestGet:
    def test_all_or_one_value(self, state: Any) -> None:
        assert state("get", "demo").out == '{\n  "limit": 3\n}\n'
        assert state("get", "demo", "limit").json == 3
        assert state("get", "demo", "app:limit").code == 3
        assert state("get", "demo/ada").json == {"n": "A"}
        session = {"k": [1], "app:limit": 3, "user:n": "A"}
        for name in ("8e42", "demo/ada/8e42aa", "session:demo:ada:8e42aa"):
            assert state("get", name).json == session
        assert state("get", "8e42", "user:n").json == "A"

    def test_missing_names_are_errors(self, state: Any) -> None:
        result = state("get", "demo", "no")
        assert (result.code, result.out) == (3, "")
        assert result.err == "error: The state of app demo has no key 'no'.\n"
        result = state("get", "dmeo")
        assert result.code == 3
        assert "app_state:dmeo" in result.err
        assert "name its key: user_state:demo:bob\n" in state("set", "demo/bob", "k", "1").err

    def test_a_name_that_may_be_several_things(self, state: Any, target_url: str) -> None:
        store_session(target_url, "8e42aa", "x", "y")
        result = state("get", "8e42aa")
        assert (result.code, result.out) == (2, "")
        assert "  session:demo:ada:8e42aa\n" in result.err
        assert "  app_state:8e42aa\n" in result.err
        assert state("get", "app_state:8e42aa").json == {}
        assert state("get", "user_state:demo:ada").json == {"n": "A"}


class TestSet:
    @pytest.mark.parametrize("columns", [80, 120])
    def test_a_session_is_changed_through_an_event(
        self, state: Any, target: redis.Redis, target_url: str, columns: int
    ) -> None:
        result = state("set", "8e42", "k", '{"deep": [1.0, null]}', columns=columns)
        assert (result.code, result.err) == (0, "")
        assert result.out == "Set k of demo/ada/8e42aa.\n"
        stored = _stored(target)
        assert stored["state"] == {"k": {"deep": [1.0, None]}}
        assert stored["events"][-1]["actions"]["state_delta"] == stored["state"]
        assert stored["events"][-1]["author"] == "user"
        assert stored["event_count"] == 2

        async def compare() -> None:
            """The session is the one that ADK's own PATCH makes."""
            async with RedisSessionService(target_url) as service:
                names = {"app_name": "demo", "user_id": "ada", "session_id": "8e42aa"}
                session = await service.get_session(**names)
                assert session is not None
                memory = InMemorySessionService()
                state = {"k": [1], "user:n": "A", "app:limit": 3}
                other = await memory.create_session(**names, state=state)
                for event in session.events:
                    await memory.append_event(other, event.model_copy(deep=True))
                again = await memory.get_session(**names)
                assert again is not None
                assert (session.state, session.events) == (again.state, again.events)

        asyncio.run(compare())

    def test_users_and_apps_are_changed_by_field(self, state: Any, target: redis.Redis) -> None:
        assert state("set", "demo/ada", "n", "Bob", "--text").out == (
            "Set n of user ada of app demo.\n"
        )
        assert state("set", "demo", "app:limit", "4").out == "Set app:limit of app demo.\n"
        assert target.hgetall("user_state:demo:ada") == {b"n": b'"Bob"'}
        assert target.hgetall("app_state:demo") == {b"limit": b"4"}
        assert state("set", "8e42", "app:limit", "5").code == 0
        assert state("get", "demo", "limit").json == 5
        assert _stored(target)["state"] == {"k": [1]}
        assert state("set", "app_state:new", "x", "true").code == 0
        assert target.hgetall("app_state:new") == {b"x": b"true"}

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("set", "8e42"), "needs a KEY"),
            (("set", "8e42", "k"), "needs a value"),
            (("set", "8e42", "k", "math"), "not JSON"),
            (("get", "8e42", "k", "1"), "takes no value"),
            (("unset", "8e42", "k", "--text"), "takes no value"),
            (("drop", "8e42", "k"), "drop"),
        ],
    )
    def test_usage_errors(
        self, state: Any, target: redis.Redis, words: tuple[str, ...], said: str
    ) -> None:
        before = _stored(target)
        result = state(*words)
        assert (result.code, said in result.err) == (2, True), result.err
        assert _stored(target) == before

    @pytest.mark.parametrize("where", ["8e42aa", "demo/ada", "demo"])
    @pytest.mark.parametrize(
        "words", [("k", '["\\ud800"]'), ("k", "\udcff", "--text"), ("\udcff", 1)]
    )
    def test_what_is_no_text_is_not_stored(
        self, state: Any, target: redis.Redis, where: str, words: tuple[object, ...]
    ) -> None:
        """ADK's web server answers each request for such a session with an error 500."""
        before = {key: target.dump(key) for key in target.scan_iter()}
        result = state("set", where, *words)
        assert result.code == 2
        assert "lone surrogate" in result.err
        assert {key: target.dump(key) for key in target.scan_iter()} == before

    def test_temp_state_is_not_stored(self, state: Any, target: redis.Redis) -> None:
        result = state("set", "8e42", "temp:x", "1")
        assert (result.code, "temp:" in result.err) == (2, True)
        assert _stored(target)["event_count"] == 1


class TestUnset:
    def test_a_key_of_a_session_becomes_null(self, state: Any, target: redis.Redis) -> None:
        assert state("unset", "8e42", "k").out == "Unset k of demo/ada/8e42aa.\n"
        assert _stored(target)["state"] == {"k": None}
        assert state("get", "8e42", "k").out == "null\n"
        assert state("unset", "8e42", "no").code == 3
        assert _stored(target)["event_count"] == 2

    def test_a_field_of_a_user_or_an_app_is_removed(self, state: Any, target: redis.Redis) -> None:
        assert state("unset", "demo/ada", "n").code == 0
        assert state("unset", "demo", "limit").code == 0
        assert target.exists("user_state:demo:ada", "app_state:demo") == 0
        assert state("unset", "demo", "limit").code == 3
