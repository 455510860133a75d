"""Output on a terminal: questions, live views, Ctrl-C, colors; and none of that in a pipe."""

import os
import subprocess
import sys

import pytest
import redis

from adksess.store.keys import SessionRef
from tests.cli.sessions import append_text, store_session
from tests.cli.terminal import Terminal


@pytest.fixture
def env(database: redis.Redis, valkey_url: str) -> dict[str, str]:
    store_session(valkey_url, session_id="first", texts=("hello there",))
    return {"ADKSESS_REDIS_URL": valkey_url}


@pytest.mark.parametrize(
    ("keys", "code"), [("n\r", 1), ("\r", 1), ("\x04", 1), ("\x03", 130)], ids=repr
)
def test_a_question_without_a_yes_changes_nothing(
    env: dict[str, str], database: redis.Redis, keys: str, code: int
) -> None:
    with Terminal("delete", "first", env=env) as terminal:
        terminal.wait_for("[y/N] ")
        if keys == "\x03":
            terminal.interrupt()
        else:
            terminal.type(keys)
        assert terminal.end() == code
        assert terminal.seen.splitlines()[-1] == "Nothing was changed."
        assert "error:" not in terminal.seen
        assert "Traceback" not in terminal.seen
    assert database.exists("session:demo:ada:first")


def test_yes_deletes(env: dict[str, str], database: redis.Redis) -> None:
    with Terminal("delete", "--app", "demo", "--since", "1d", env=env) as terminal:
        terminal.wait_for(", updated in the last 1 day, in redis://")
        terminal.wait_for("[y/N] ")
        terminal.type("y\r")
        assert terminal.end() == 0
    assert not database.exists("session:demo:ada:first")


@pytest.mark.parametrize(("typed", "code"), [("y", 1), ("2", 1), ("1", 0)])
def test_a_flush_of_everything_asks_for_the_count(
    env: dict[str, str], database: redis.Redis, typed: str, code: int
) -> None:
    with Terminal("flush", env=env) as terminal:
        terminal.wait_for("Type 1 to confirm: ")
        terminal.type(f"{typed}\r")
        assert terminal.end() == code
    assert database.exists("session:demo:ada:first") == (code != 0)


@pytest.mark.parametrize("words", [("delete", "--since", "1d"), ("flush", "--since", "1d")])
def test_what_is_used_between_selection_and_deletion_is_kept(
    env: dict[str, str], database: redis.Redis, valkey_url: str, words: tuple[str, ...]
) -> None:
    store_session(valkey_url, session_id="second")
    with Terminal(*words, env=env) as terminal:
        terminal.wait_for("2 sessions")
        terminal.wait_for("[y/N] ")
        append_text(valkey_url, SessionRef("demo", "ada", "first"), "still here")
        terminal.type("y\r")
        assert terminal.end() == 0
    assert "demo/ada/first was used in the meantime and was kept." in terminal.seen
    assert "Deleted 1 session, " in terminal.seen
    assert database.keys("session:*") == [b"session:demo:ada:first"]


def test_watch_shows_what_comes_until_ctrl_c(env: dict[str, str], valkey_url: str) -> None:
    with Terminal("list", "--watch", "0.2", env=env) as terminal:
        terminal.wait_for("first")
        store_session(valkey_url, session_id="second")
        terminal.wait_for("second")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "Traceback" not in terminal.seen


def test_watch_prints_below_on_a_dumb_terminal(env: dict[str, str], valkey_url: str) -> None:
    with Terminal("list", "--watch", "0.2", env=env | {"TERM": "dumb"}) as terminal:
        terminal.wait_for("first")
        store_session(valkey_url, session_id="second")
        terminal.wait_for("second")
        assert "\x1b[?1049h" not in terminal.seen, "no alternate screen"
        terminal.interrupt()
        assert terminal.end() == 130


def test_watch_ends_with_an_error_when_the_session_store_does(env: dict[str, str]) -> None:
    with Terminal("list", "-w", "-r", "redis://127.0.0.1:1/0", env=env) as terminal:
        assert terminal.end() == 4
        assert "Cannot reach Redis" in terminal.seen


def test_follow_prints_events_as_they_arrive(
    env: dict[str, str], valkey_url: str, database: redis.Redis
) -> None:
    with Terminal("show", "first", "--follow", env=env) as terminal:
        terminal.wait_for("hello there")
        append_text(valkey_url, SessionRef("demo", "ada", "first"), "and then")
        terminal.wait_for("and then")
        append_text(valkey_url, SessionRef("demo", "ada", "first"), "at last")
        terminal.wait_for("at last")
        assert terminal.seen.count("and then") == 1
        database.delete("session:demo:ada:first")
        assert terminal.end() == 3
        assert "deleted or has expired" in terminal.seen


def test_colors_on_a_terminal_and_none_when_unwanted(env: dict[str, str]) -> None:
    with Terminal("list", env=env) as terminal:
        terminal.end()
        assert "\x1b[36m" in terminal.seen
    for words, unwanted in (((), {"NO_COLOR": "1"}), (("--no-color",), {})):
        with Terminal("list", *words, env=env | unwanted) as terminal:
            terminal.end()
            assert "\x1b[36m" not in terminal.seen
            assert "first" in terminal.seen


def test_a_pipe_gets_plain_lines_that_are_not_cut(env: dict[str, str], valkey_url: str) -> None:
    long_name = "x" * 150
    store_session(valkey_url, user=long_name, session_id="second")
    out = subprocess.run(
        [sys.executable, "-m", "adksess", "list"],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "\x1b" not in out
    assert long_name in out


def test_a_closed_pipe_prints_nothing(env: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "adksess", "list", "-o", "json"],
        env=os.environ | env,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
