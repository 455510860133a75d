"""`adksess search`: lines, NDJSON, ids, and what it says when nothing matches."""

import json
import re
import sys
import time

import pytest
import redis

from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, called, put_document, said
from tests.conftest import Run

_CAROL = SessionRef("support", "carol", "c0ffee00-51de-4a11-b0a7-0123456789ab")
_DAVE = SessionRef("support", "dave", "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11")


@pytest.fixture(autouse=True)
def _conversations(database: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    put_document(
        database,
        _CAROL,
        said("user", 'Where is my "order"?\nIt is order 4711.', id="e1"),
        called("track", args={"order": "4711"}),
        said("helper", "On its way."),
        updated=NOW - 100,
    )
    failed = {"function_response": {"name": "track", "response": {"error": "no order"}}}
    put_document(
        database,
        _DAVE,
        {"author": "helper", "timestamp": NOW, "content": {"parts": [failed]}},
        state={"__session_metadata__": {"displayName": "My order"}},
    )


def test_lines_name_session_event_time_author_and_field(run: Run) -> None:
    result = run("search", "order")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        f"{_DAVE.path}  -  -  title: My order",
        f"{_DAVE.path}  1  2026-11-18 11:06:40  helper  error: no order",
        f'{_CAROL.path}  1  2026-11-18 11:06:40  user  Where is my "order"?',
        f"{_CAROL.path}  1  2026-11-18 11:06:40  user  It is order 4711.",
    ]


def test_a_terminal_names_a_session_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    out = run("search", "order", columns=80).out
    assert out.count(_DAVE.path) == out.count(_CAROL.path) == 1


def test_a_long_line_is_indented_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal has 80 columns, says Rich
    out = run("search", "order 4711", columns=45).out
    lines = re.sub(r"\x1b\[[\d;]*m", "", out).splitlines()
    assert lines[1:] == [
        "     1  2026-11-18 11:06:40  user  It is ",
        "        order 4711.",
    ]


def test_ndjson_has_the_documented_fields(run: Run) -> None:
    (line,) = run("search", '"order"', "-o", "ndjson").out.splitlines()
    assert json.loads(line) == {
        "key": "session:support:carol:c0ffee00-51de-4a11-b0a7-0123456789ab",
        "app_name": "support",
        "user_id": "carol",
        "session_id": _CAROL.session_id,
        "event_number": 1,
        "event_id": "e1",
        "timestamp": NOW,
        "author": "user",
        "field": "text",
        "snippet": 'Where is my "order"?',
    }


def test_ids_pipe_into_other_commands(run: Run) -> None:
    ids = run("search", "ORDER", "-i", "-o", "ids")
    assert ids.out.splitlines() == [_DAVE.path, _CAROL.path]
    assert len(run("export", "-", stdin=ids.out).out.splitlines()) >= 2
    assert run("delete", "-", "--yes", stdin=ids.out).code == 0
    assert run("search", "order").code == 3


def test_options_narrow_the_search(run: Run) -> None:
    def found(*words: str) -> list[str]:
        return run("search", *words, "-o", "ids").out.split()

    assert found("--errors") == [_DAVE.path]
    assert found("--tool", "track") == [_DAVE.path, _CAROL.path]
    assert found("--tool", "track", "4711") == [_CAROL.path]
    assert found("order", "--author", "user") == [_CAROL.path]
    assert found("order", "--user", "dave") == [_DAVE.path]
    assert found("order", "--status", "failed") == [_DAVE.path]
    assert found("order", "--until", "2026-11-18T11:06:00") == [_CAROL.path]
    assert found(r"order \d+", "--regex") == [_CAROL.path]
    assert found("order", "-n", "1") == [_DAVE.path]
    assert "-n 0 shows all" in run("search", "order", "-n", "2").err


def test_a_search_stops_at_the_limit(run: Run) -> None:
    every = run("search", "order", "-n", "0", "-o", "ids").out.split()
    # it does not read on to find out whether there is one more
    result = run("search", "order", "-o", "ids", "-n", str(len(every)))
    assert result.out.split() == every
    assert result.err == f"Stopped at {len(every)} matches; -n 0 shows all.\n"


def test_no_match_is_exit_3_and_says_where_it_searched(run: Run, valkey_url: str) -> None:
    result = run("search", "nothing")
    assert (result.code, result.out) == (3, "")
    assert result.err == f"No match for 'nothing' in 2 sessions of {valkey_url}.\n"
    result = run("search", "order", "--app", "suport")
    assert result.code == 3
    assert "There is no app 'suport'; there is support." in result.err


def test_a_wrong_command_line_is_a_usage_error(run: Run) -> None:
    assert run("search").code == 2
    assert run("search", "(", "--regex").code == 2
    assert run("search", "--author", "user").code == 2


def test_stored_text_cannot_control_a_terminal(run: Run, database: redis.Redis) -> None:
    hostile = "\x1b]0;owned\x07 [bold]needle[/bold]"
    put_document(database, SessionRef("demo", hostile, "s1"), said(hostile, hostile))
    for form in ("table", "ndjson", "ids"):
        result = run("search", "needle", "-o", form)
        assert result.code == 0
        assert not set("\x1b\x07") & set(result.out + result.err)
