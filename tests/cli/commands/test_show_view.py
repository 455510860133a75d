"""What `adksess show` prints for people, whole, at pinned times and widths; and its options."""

import json
import re
import time
from collections.abc import Iterator

import pytest
import redis

from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, called, put_document, said
from tests.cli.terminal import Terminal
from tests.conftest import Run

_REF = SessionRef("support", "bob@example.com", "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11")


@pytest.fixture(autouse=True)
def _pinned_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW + 100)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def conversation(database: redis.Redis) -> None:
    usage = {"prompt_token_count": 90, "candidates_token_count": 10, "total_token_count": 100}
    confirmation = {
        "originalFunctionCall": {"name": "refund", "args": {"order": 4711}},
        "toolConfirmation": {"hint": "Refund it?"},
    }
    put_document(
        database,
        _REF,
        said("user", "Refund my order, my password is hunter22", invocation_id="i1"),
        called("refund", args={"order": 4711}, invocation_id="i1", usage_metadata=usage)
        | {"timestamp": NOW + 1.5, "model_version": "gemini-x"},
        called(
            "adk_request_confirmation",
            "c2",
            args=confirmation,
            invocation_id="i1",
            long_running_tool_ids=["c2"],
        )
        | {"timestamp": NOW + 2},
        {
            "author": "user",
            "timestamp": NOW + 3,
            "invocation_id": "i2",
            "input_transcription": {"text": "hello?"},
            "interrupted": True,
        },
        state={f"key{n}": n for n in range(12)} | {"text": "x" * 300},
        updated=NOW + 3,
        ttl=7_300,
    )


_HEADER = """\
Session    8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11
Title      Refund my order, my password is hunter22
App        support
User       bob@example.com
Status     waiting
Waits for  confirmation of refund(order=4711) since 2026-11-18 11:06:42
Created    2026-11-18 11:06:40 UTC (1 min ago)
Updated    2026-11-18 11:06:43 (1 min ago)
"""
_EXPIRY = "Expires    in 2h 1m, before an answer is likely: adksess ttl ID --set 7d keeps"
_FIGURES = "Events     4\nSize       1.6 kB\n"
_STATE = "State\n" + "".join(f"key{n} = {n}\n" for n in range(10)) + "… 3 more; --state shows all\n"
_EVENTS = """\
Events (4)
2026-11-18
11:06:40 user   Refund my order, my password is hunter22
11:06:41 helper → refund(order=4711)
11:06:42 helper → asks to confirm refund(order=4711): Refund it? (open)
11:06:43 user   (voice) hello?
                interrupted
"""


@pytest.mark.parametrize(("width", "gap"), [(80, "\n           "), (120, " ")])
def test_the_whole_view(run: Run, conversation: None, width: int, gap: str) -> None:
    expected = f"{_HEADER}{_EXPIRY}{gap}it\n{_FIGURES}\n{_STATE}\n{_EVENTS}"
    assert _plain(run("show", "8e42", columns=width).out) == expected


def test_verbose_adds_invocations_times_models_and_tokens(run: Run, conversation: None) -> None:
    out = _plain(run("show", "8e42", "-v", columns=120).out)
    assert "Sum      100 tokens (90 in, 10 out), 3s" in out
    assert (
        "11:06:41 helper #2 · invocation i1 · +1.5 s · gemini-x · 100 tokens (90 in, 10 out)\n"
        "                → refund(order=4711)" in out
    )


def test_events_are_selected_by_invocation_and_author(run: Run, conversation: None) -> None:
    def numbers(*words: str) -> list[int]:
        lines = run("show", "8e42", "-o", "ndjson", *words).out.splitlines()
        return [round(json.loads(line)["timestamp"] - NOW) for line in lines]

    assert numbers("--invocation", "i2") == [3]
    assert numbers("--author", "helper") == [2, 2]
    assert numbers("--author", "helper", "--invocation", "i2") == []
    assert numbers("--author", "user", "--events", "1") == [3]
    assert "Events, 2 of 4" in run("show", "8e42", "--author", "user").out


def test_texts_are_folded_unless_full(run: Run, database: redis.Redis) -> None:
    lines = "\n".join(f"line {n}" for n in range(50))
    put_document(database, _REF, said("helper", lines), said("helper", "word " * 20_000))
    out = run("show", "8e42", columns=80).out
    assert "line 19\n" in _plain(out)
    assert "line 20" not in out
    assert "… 389 characters; --full shows all" in out
    assert "… 100,000 characters; --full shows all" in out
    assert len(out.splitlines()) < 70
    full = run("show", "8e42", "--full", columns=80).out
    assert "line 49" in full
    assert full.count("word") == 20_000


def test_latest_is_the_newest_of_all_or_of_an_app(
    run: Run, conversation: None, database: redis.Redis
) -> None:
    other = SessionRef("weather", "ada", "older")
    put_document(database, other, updated=NOW - 100)
    assert run("show", "latest", "-o", "json").json["session_id"] == _REF.session_id
    assert run("show", "latest", "--app", "weather", "-o", "json").json["session_id"] == "older"
    missing = run("show", "latest", "--app", "nothing")
    assert (missing.code, missing.out) == (3, "")
    assert "app nothing" in missing.err
    assert run("show", "8e42", "--app", "weather").code == 2


def test_without_a_terminal_an_id_is_needed(run: Run, conversation: None) -> None:
    result = run("show")
    assert (result.code, result.out) == (2, "")
    assert "adksess list" in result.err


def test_names_from_a_pipe_are_shown_one_after_another(
    run: Run, conversation: None, database: redis.Redis
) -> None:
    other = SessionRef("weather", "ada", "older")
    put_document(database, other)
    result = run("show", "-", stdin=f"{_REF.path}\nweather/ada/older\nnothing\n")
    assert result.code == 3
    assert result.out.count("Session  ") == 2
    assert "nothing" in result.err
    assert run("show", "-", "--follow", stdin="older").code == 2


def test_tokens_of_adk_tools_are_hidden_from_people(run: Run, database: redis.Redis) -> None:
    tokens = {"bigquery_token_cache": '{"token": "ya29.secret"}'}
    put_document(
        database, _REF, said("helper", "hi", actions={"state_delta": tokens}), state=tokens
    )
    for form in ("pretty", "md", "html"):
        out = run("show", "8e42", "-o", form).out
        assert "ya29.secret" not in out
        assert "bigquery_token_cache = " in out
    assert "ya29.secret" in run("show", "8e42", "-o", "json").out
    assert "ya29.secret" not in run("show", "8e42", "-o", "json", "--redact").out


def test_transcripts_and_redaction(run: Run, conversation: None) -> None:
    markdown = run("show", "8e42", "-o", "md", "--redact").out
    assert markdown.startswith("# Refund my order, my password is \\*\\*\\*\n")
    assert "> Refund my order, my password is \\*\\*\\*" not in markdown
    assert "> Refund my order, my password is ***" in markdown
    page = run("show", "8e42", "-o", "html").out
    assert page.startswith("<!doctype html>")
    assert "hunter22" in page
    for form in ("pretty", "json", "ndjson", "md", "html"):
        result = run("show", "8e42", "-o", form, "--redact")
        assert result.code == 0
        assert "hunter22" not in result.out
        assert "4711" in result.out
    for wrong in (["-o", "md", "--state"], ["-o", "html", "--follow"]):
        assert run("show", "8e42", *wrong).code == 2


def test_a_terminal_without_an_id_shows_a_menu(
    conversation: None, database: redis.Redis, valkey_url: str
) -> None:
    put_document(database, SessionRef("weather", "ada", "older"), updated=NOW - 100)
    with Terminal("show", env={"ADKSESS_REDIS_URL": valkey_url}) as terminal:
        terminal.wait_for("[1-2, Enter for 1]")
        terminal.type("2\n")
        assert terminal.end() == 0
    assert "weather" in terminal.seen.rpartition("App")[2]


def test_a_long_view_goes_through_the_pager(
    conversation: None, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    script = tmp_path_factory.mktemp("pager") / "pager"
    script.write_text("#!/bin/sh\necho paged\nwc -l\n")
    script.chmod(0o755)
    env = {"ADKSESS_REDIS_URL": valkey_url, "PAGER": str(script), "LINES": "10"}
    with Terminal("show", "8e42", env=env) as terminal:
        assert terminal.end() == 0
    assert "paged" in terminal.seen
    for words in (["--no-pager"], ["-o", "json"]):
        with Terminal("show", "8e42", *words, env=env) as terminal:
            assert terminal.end() == 0
        assert "paged" not in terminal.seen


def _plain(out: str) -> str:
    """The text without trailing blanks and marks that isolate right-to-left letters."""
    lines = re.sub("[\u2068\u2069]", "", out).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
