"""`adksess move`: which sessions it moves, what it prints, and what happens to user state."""

import json

import pytest
import redis

from tests.cli.sessions import store_session
from tests.conftest import Run


@pytest.fixture(autouse=True)
def _sessions(target: redis.Redis, target_url: str) -> None:
    store_session(target_url, "demo", "anon", "one", user_state={"name": "A", "lang": "en"})
    store_session(target_url, "demo", "anon", "two")
    store_session(target_url, "demo", "ada", "three", user_state={"name": "Ada"})
    store_session(target_url, "shop", "anon", "four")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Run, target: redis.Redis, target_url: str, columns: int) -> None:
    words = ("move", "--app", "demo", "--user", "anon", "--to-user", "ada", "-r", target_url)
    with_state = (*words, "--with-user-state")
    dry = cli(*with_state, "--dry-run", columns=columns)
    text = "2 sessions to user ada, with 1 value of user: state (1 kept).\n"
    assert (dry.code, dry.out, dry.err) == (0, f"Would move {text}", "")
    assert len(target.keys("session:demo:anon:*")) == 2
    rejected = cli(*words)
    assert (rejected.code, "--yes" in rejected.err) == (2, True)
    moved = cli(*with_state, "--yes", columns=columns)
    assert (moved.code, moved.out, moved.err) == (0, f"Moved {text}", "")
    keys = {key.decode() for key in target.keys("session:*")}
    assert keys == {
        *("session:demo:ada:one", "session:demo:ada:two", "session:demo:ada:three"),
        "session:shop:anon:four",
    }
    assert target.hgetall("user_state:demo:ada") == {b"name": b'"Ada"', b"lang": b'"en"'}
    assert target.hgetall("user_state:demo:anon") == {b"name": b'"A"', b"lang": b'"en"'}
    again = cli(*words, "--yes", columns=columns)
    assert (again.code, again.out) == (0, "Nothing to move.\n")


def test_overwrite_replaces_values(cli: Run, target: redis.Redis, target_url: str) -> None:
    words = ("move", "one", "--to-user", "ada", "--with-user-state", "--overwrite", "--yes")
    assert cli(*words, "-r", target_url).code == 0
    assert target.hget("user_state:demo:ada", "name") == b'"A"'


def test_a_session_of_that_id_is_kept(cli: Run, target: redis.Redis, target_url: str) -> None:
    store_session(target_url, "demo", "ada", "one", state={"mine": 1})
    words = ("move", "demo/anon/one", "two", "nowhere", "--to-user", "ada", "--yes")
    result = cli(*words, "-r", target_url, columns=80)
    assert (result.code, result.out) == (3, "Moved 1 session to user ada.\n")
    assert result.err == (
        "error: demo/anon/one was not moved: user ada has a session of this id.\n"
        "error: There is no session 'nowhere': list the existing ones with adksess list.\n"
    )
    assert json.loads(target.get("session:demo:ada:one") or b"")["state"] == {"mine": 1}
    assert target.exists("session:demo:anon:one")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to-user", "ada"), "Say which sessions"),
        (("one", "--to-user", " "), "--to-user is empty"),
        (("one", "--to-user", "ada", "--overwrite"), "--with-user-state"),
        (("one",), "--to-user"),
    ],
)
def test_usage_errors(
    cli: Run, target: redis.Redis, target_url: str, words: tuple[str, ...], said: str
) -> None:
    result = cli("move", *words, "--yes", "-r", target_url)
    assert (result.code, said in result.err) == (2, True), result.err
    assert len(target.keys("session:*:anon:*")) == 3


def test_foreign_documents_are_moved_and_unreadable_ones_named(
    cli: Run, target: redis.Redis, target_url: str
) -> None:
    foreign = {"id": "old", "userId": "anon", "state": {"a": 1}, "events": []}
    target.set("session:demo:anon:old", json.dumps(foreign))
    target.set("session:demo:anon:broken", "{")
    words = ("move", "--user", "anon", "--app", "demo", "--to-user", "ada", "--yes")
    result = cli(*words, "-r", target_url, columns=80)
    assert (result.code, result.out) == (1, "Moved 3 sessions to user ada.\n")
    assert "demo/anon/broken was not changed: it is not a session document" in result.err
    assert json.loads(target.get("session:demo:ada:old") or b"")["user_id"] == "ada"
    assert target.keys("session:demo:anon:*") == [b"session:demo:anon:broken"]
