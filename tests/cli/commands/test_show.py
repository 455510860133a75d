"""`adksess show`: naming a session, and what is shown of it."""

import base64
import json
from typing import Any

import redis

from tests.cli.sessions import store_session
from tests.conftest import Run

SEVEN = {"app_name", "user_id", "session_id", "state", "created_at", "updated_at", "events"}


def _event(*parts: dict[str, Any], author: str = "helper", **fields: Any) -> dict[str, Any]:
    return {"author": author, "content": {"role": "model", "parts": list(parts)}} | fields


def test_every_way_to_name_a_session(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "8e42aa01-1111")
    store_session(valkey_url, "demo", "bob", "8e42aa01-2222")
    for name in ("8e42aa01-1111", "8e42aa01-1", "demo/ada/8e42aa01-1111"):
        assert run("show", name, "-o", "json").json["user_id"] == "ada"
    assert run("show", "session:demo:ada:8e42aa01-1111", "-o", "json").code == 0


def test_an_ambiguous_prefix_lists_its_candidates(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "8e42aa01-1111")
    store_session(valkey_url, "demo", "bob", "8e42aa01-2222")
    result = run("show", "8e42")
    assert (result.code, result.out) == (2, "")
    assert "demo/ada/8e42aa01-1111" in result.err
    assert "demo/bob/8e42aa01-2222" in result.err


def test_a_whole_id_wins_over_longer_ones(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="chat")
    store_session(valkey_url, session_id="chat-2")
    assert run("show", "chat", "-o", "json").json["session_id"] == "chat"


def test_a_short_prefix_is_rejected_but_a_short_id_found(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="s1")
    assert run("show", "s1").code == 0
    result = run("show", "s")
    assert result.code == 3
    assert "4 characters" in result.err


def test_a_missing_session_says_where_one_is_or_was(
    run: Run, valkey_url: str, database: redis.Redis
) -> None:
    store_session(valkey_url, "demo", "ada", "here-it-is")
    result = run("show", "demo/bob/here-it-is")
    assert result.code == 3
    assert "app demo, user ada" in result.err

    store_session(valkey_url, "demo", "ada", "short-lived")
    database.delete("session:demo:ada:short-lived")
    database.zadd("user_sessions:demo:ada", {"short-lived": 1_795_000_000})
    result = run("show", "short-lived")
    assert result.code == 3
    assert "expired at" in result.err


def test_names_may_hold_slashes_colons_and_globs(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "a/b", "c:d", "x*y/[z]%")
    for name in ("a/b/c:d/x*y/[z]%", "x*y/[z]%", "session:a/b:c%3Ad:x*y/[z]%25"):
        assert run("show", name, "-o", "json").json["user_id"] == "c:d", name
    assert run("show", "x?y/").code == 3


def test_json_is_the_document(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, texts=("a", "b", "c"), state={"n": 2**70, "f": 1.0, "l": []})
    document = run("show", "session-1", "-o", "json").json
    assert set(document) >= SEVEN
    assert [e["content"]["parts"][0]["text"] for e in document["events"]] == ["a", "b", "c"]
    assert document["state"] == {"n": 2**70, "f": 1.0, "l": []}
    assert isinstance(document["state"]["f"], float)
    last = run("show", "session-1", "-o", "json", "--events", "1").json
    assert len(last["events"]) == 1
    assert last["event_count"] == 3


def test_a_document_of_another_tool_has_all_seven_fields(run: Run, database: redis.Redis) -> None:
    database.set(
        "session:demo:ada:plain",
        json.dumps({"id": "plain", "state": {"a": 1}, "events": [{"author": "user"}]}),
    )
    document = run("show", "plain", "-o", "json").json
    assert set(document) >= SEVEN
    assert document["state"] == {"a": 1}


def test_the_last_events_and_all(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, texts=tuple(f"text {n}." for n in range(25)))
    shown = run("show", "session-1")
    assert "the last 20 of 25" in shown.out
    assert "text 4." not in shown.out
    assert "text 5." in shown.out
    assert "text 0." in run("show", "session-1", "--events", "all").out
    assert len(run("show", "session-1", "-o", "ndjson", "--events", "3").out.splitlines()) == 3
    for wrong in ("x", "-1", "1.5"):
        assert run("show", "session-1", "--events", wrong).code == 2


def test_an_undone_rewind_marks_nothing_but_itself(run: Run, valkey_url: str) -> None:
    back = {"rewind_before_invocation_id": "i2"}, {"rewind_before_invocation_id": "r1"}
    store_session(
        valkey_url,
        events=(
            _event({"text": "first"}, invocation_id="i1"),
            _event({"text": "second"}, invocation_id="i2"),
            {"author": "user", "invocation_id": "r1", "actions": back[0]},
            {"author": "user", "invocation_id": "r2", "actions": back[1]},
        ),
    )
    marked = [line for line in run("show", "session-1").out.splitlines() if "[rewound]" in line]
    assert len(marked) == 1
    assert "rewind to before i2" in marked[0]


def test_an_event_is_described(run: Run, valkey_url: str) -> None:
    picture = base64.b64encode(b"x" * 1_200_000).decode()
    store_session(
        valkey_url,
        events=(
            _event({"text": "What is it?"}, author="user", invocation_id="i1"),
            _event(
                {"function_call": {"name": "lookup", "args": {"key": "it"}}},
                invocation_id="i1",
                actions={"state_delta": {"turns": 1}, "artifact_delta": {"notes.txt": 2}},
            ),
            _event({"function_response": {"name": "lookup", "response": {"found": True}}}),
            _event({"inline_data": {"mime_type": "image/png", "data": picture}}),
            _event(error_code="429", error_message="Too many requests"),
            _event({"text": "undone"}, invocation_id="i2"),
            _event(author="user", actions={"rewind_before_invocation_id": "i2"}),
        ),
    )
    out = run("show", "session-1").out
    assert "What is it?" in out
    assert '→ lookup(key="it")' in out
    assert '← lookup {"found":true}' in out
    assert "state turns = 1" in out
    assert "artifact notes.txt version 2" in out
    assert "<image/png, 1.2 MB>" in out
    assert picture[:100] not in out
    assert "error 429: Too many requests" in out
    assert "[rewound] undone" in out


def test_compacted_events_are_marked(run: Run, valkey_url: str) -> None:
    compaction = {
        "start_timestamp": 1_795_000_000.0,
        "end_timestamp": 1_795_000_000.0,
        "compacted_content": {"parts": [{"text": "the gist"}]},
    }
    store_session(
        valkey_url,
        events=(_event({"text": "long"}), _event(actions={"compaction": compaction})),
    )
    out = run("show", "session-1").out
    assert "[compacted] long" in out
    assert "the gist" in out


def test_state_alone_has_the_shared_state_too(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, state={"turns": 3}, user_state={"name": "Ada"}, texts=("hello",))
    result = run("show", "session-1", "--state")
    assert json.loads(result.out) == {"turns": 3, "user:name": "Ada"}
    assert run("show", "session-1", "--state", "-o", "json").json == json.loads(result.out)


def test_stored_text_cannot_control_a_terminal(run: Run, valkey_url: str) -> None:
    hostile = "\x1b]0;owned\x07 \x9b31m [bold]x[/bold] [/nope]"
    store_session(
        valkey_url,
        user=hostile,
        state={hostile: hostile},
        title=hostile,
        events=(
            _event({"text": hostile}, author=hostile, error_code=hostile),
            _event({"function_call": {"name": hostile, "args": {hostile: hostile}}}),
        ),
    )
    for words in ([], ["-o", "json"], ["-o", "ndjson"], ["--state"]):
        result = run("show", "session-1", *words)
        assert result.code == 0, result.err
        assert not set("\x1b\x07\x9b") & set(result.out + result.err)
    assert "[bold]x[/bold] [/nope]" in run("show", "session-1").out


def test_an_unreadable_session_is_named_and_not_changed(run: Run, database: redis.Redis) -> None:
    database.set("session:demo:ada:broken", "secret stuff")
    result = run("show", "broken")
    assert (result.code, result.out) == (1, "")
    assert "'broken'" in result.err
    assert "secret stuff" not in result.err
    assert database.get("session:demo:ada:broken") == b"secret stuff"


def test_follow_has_no_json_document(run: Run) -> None:
    assert run("show", "x", "--follow", "-o", "json").code == 2
    assert run("show", "x", "--follow", "--state").code == 2


def test_content_of_any_shape_is_shown(run: Run, valkey_url: str) -> None:
    odd: tuple[dict[str, Any], ...] = (
        {"content": {"parts": 5}},
        {"content": {"parts": [{"function_call": "x"}, {"inline_data": "z"}, 7]}},
        {"actions": {"compaction": {"start_timestamp": "a", "end_timestamp": "b"}}},
        {"actions": {"state_delta": ["x"]}, "content": {"parts": [{"text": "t\ud83d"}]}},
    )
    store_session(valkey_url, events=odd, title="t\ud83d")
    for words in (
        ["show", "session-1"],
        ["show", "session-1", "-o", "json"],
        ["list", "-o", "json"],
    ):
        result = run(*words)
        assert (result.code, result.err) == (0, "")


def test_a_url_where_none_belongs_does_not_show_its_password(run: Run) -> None:
    result = run("show", "redis://user:hunter2@host/0")
    assert result.code == 3
    assert "hunter2" not in result.err
