"""Live views on a terminal: they continue after an outage of Redis; `q` and Ctrl-C end them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adksess.store.keys import SessionRef
from tests.cli.sessions import append_text, store_session
from tests.cli.terminal import Terminal
from tests.servers import ServerProcess, running, valkey_binary

_REF = SessionRef("demo", "ada", "first")
_VIEWS = {
    "tail": ("tail", "--since", "10m"),
    "follow": ("show", "first", "--follow"),
    "watch": ("list", "--watch", "0.2", "--column", "state.last"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that keeps its data when it is killed."""
    options = {"appendonly": "yes", "appendfsync": "always"}
    with running(valkey_binary(), tmp_path / "valkey", **options) as started:
        store_session(started.url, session_id="first")
        append_text(started.url, _REF, "a title")
        append_text(started.url, _REF, "hello there")
        yield started


@pytest.mark.parametrize("view", _VIEWS)
def test_a_view_continues_after_an_outage_and_q_quits(view: str, server: ServerProcess) -> None:
    url = f"{server.url}?socket_timeout=1"
    with Terminal(*_VIEWS[view], env={"ADKSESS_REDIS_URL": url}) as terminal:
        terminal.wait_for("first" if view == "watch" else "hello there")
        server.kill()
        terminal.wait_for("No answer from")
        server.start()
        if view == "watch":
            store_session(server.url, session_id="second")
            terminal.wait_for("second")
        else:
            append_text(server.url, _REF, "and then")
            terminal.wait_for("and then")
            terminal.wait_for("answers again")
            assert terminal.seen.count("hello there") == 1
        terminal.type("q")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.seen


@pytest.mark.parametrize("view", _VIEWS)
def test_ctrl_c_is_130(view: str, server: ServerProcess) -> None:
    with Terminal(*_VIEWS[view], env={"ADKSESS_REDIS_URL": server.url}) as terminal:
        terminal.wait_for("first" if view == "watch" else "hello there")
        terminal.interrupt()
        assert terminal.end() == 130
        assert "Traceback" not in terminal.seen


def test_q_quits_while_redis_does_not_answer(server: ServerProcess) -> None:
    with Terminal("tail", "--since", "10m", env={"ADKSESS_REDIS_URL": server.url}) as terminal:
        terminal.wait_for("hello there")
        server.kill()
        terminal.wait_for("No answer from")
        terminal.type("q")
        assert terminal.end() == 0


@pytest.mark.parametrize("view", _VIEWS)
def test_without_redis_at_the_start_it_is_an_error(view: str) -> None:
    env = {"ADKSESS_REDIS_URL": "redis://127.0.0.1:1/0"}
    with Terminal(*_VIEWS[view], env=env) as terminal:
        assert terminal.end() == 4
        assert "Cannot reach Redis" in terminal.seen


def test_tail_says_that_it_waits(server: ServerProcess) -> None:
    with Terminal("tail", env={"ADKSESS_REDIS_URL": server.url}) as terminal:
        terminal.wait_for("Waiting for events")
        append_text(server.url, _REF, "at last")
        terminal.wait_for("at last")
        assert "hello there" not in terminal.seen
        terminal.type("q")
        assert terminal.end() == 0
