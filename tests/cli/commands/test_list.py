"""`adksess list`: its output in every format, and stored text in it."""

import csv
import io
import json
import re
import time

import pytest
import redis

from adksess.cli.render.json_output import JsonArray, write_json
from adksess.store import recency
from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, append_text, called, put_document, said, store_session
from tests.conftest import Result, Run

ESCAPE = "\x1b[31mred[/red] [bold]"


def test_json_is_the_documented_array(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, title="My trip", texts=("hi", "there"))
    (row,) = run("list", "-o", "json").json
    assert list(row) == [
        *("key", "app_name", "user_id", "session_id", "title", "title_source", "status"),
        *("waiting_for", "event_count", "size_bytes", "created_at", "updated_at", "ttl_seconds"),
    ]
    assert row["key"] == "session:demo:ada:session-1"
    assert (row["app_name"], row["user_id"], row["session_id"]) == ("demo", "ada", "session-1")
    assert (row["title"], row["event_count"]) == ("My trip", 2)
    assert 86_300 < row["ttl_seconds"] <= 86_400
    with redis.Redis.from_url(valkey_url) as client:
        assert row["size_bytes"] == client.strlen("session:demo:ada:session-1")


def test_nothing_stored_is_an_empty_array_and_a_hint(run: Run) -> None:
    result = run("list", "-o", "json")
    assert (result.code, result.json) == (0, [])
    assert "adksess serve --demo" in result.err
    assert run("list").out == ""


def test_a_session_without_expiry_has_no_ttl(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, ttl=0)
    assert run("list", "-o", "json").json[0]["ttl_seconds"] is None
    assert run("list", "--no-ttl", "-o", "ids").out == "session-1\n"
    assert "never" in run("list").out


def test_sorting_and_cutting(run: Run, valkey_url: str) -> None:
    now = time.time()
    for number in range(4):
        store_session(valkey_url, session_id=f"s{number}", now=now - number * 100)
    store_session(valkey_url, session_id="busy", texts=("a", "b"), now=now - 1_000)

    def ids(*words: str) -> list[str]:
        return run("list", "-o", "ids", *words).out.split()

    assert ids() == ["busy", "s0", "s1", "s2", "s3"]
    assert ids("--sort", "created") == ["s0", "s1", "s2", "s3", "busy"]
    assert ids("--sort", "created", "--reverse") == ["busy", "s3", "s2", "s1", "s0"]
    assert ids("--sort", "events")[0] == "busy"
    assert ids("--sort", "size")[0] == "busy"
    cut = run("list", "-n", "2")
    assert "2 of 5 sessions" in cut.err
    assert cut.out.count("\n") == 3


def test_filters(run: Run, valkey_url: str) -> None:
    old = time.time() - 10 * 86_400
    store_session(valkey_url, "demo", "ada", "new-one")
    store_session(valkey_url, "demo", "bob", "old-one", now=old, ttl=0)
    store_session(valkey_url, "de", "ada", "other-app")

    def ids(*words: str) -> set[str]:
        return set(run("list", "-o", "ids", *words).out.split())

    assert ids("--app", "demo") == {"new-one", "old-one"}
    assert ids("--app", "demo", "--user", "ada") == {"new-one"}
    assert ids("--app", "de*") == set()
    assert ids("--idle", "5d") == {"old-one"}
    assert ids("--since", "2h") == {"new-one", "other-app"}
    assert ids("--since", time.strftime("%Y-%m-%d", time.localtime(old - 86_400))) == {
        *("new-one", "old-one", "other-app")
    }
    assert ids("--until", "5d") == {"old-one"}
    assert ids("--since", "20d", "--until", "5d") == {"old-one"}
    assert ids("--app-like", "de*") == {"new-one", "old-one", "other-app"}
    assert ids("--app-like", "de*o", "--user-like", "[a-b]?a") == {"new-one"}
    wrong = run("list", "--since", "someday")
    assert wrong.code == 2
    assert "2h" in wrong.err


def test_state_columns(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, state={"topic": "maths", "tags": ["a", 1]})
    (row,) = run("list", "-o", "json", "--column", "state.topic", "--column", "state.tags").json
    assert (row["state.topic"], row["state.tags"]) == ("maths", ["a", 1])
    out = run("list", "-o", "csv", "--column", "state.tags").out
    (line,) = csv.DictReader(io.StringIO(out))
    assert line["state.tags"] == '["a",1]'
    assert "maths" in run("list", "--column", "state.topic").out
    assert run("list", "--column", "topic").code == 2


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "'quoted", 'a "b", c'])
def test_a_csv_cell_is_what_is_stored(run: Run, valkey_url: str, title: str) -> None:
    store_session(valkey_url, state={"__session_metadata__": {"displayName": title}})
    (line,) = csv.DictReader(io.StringIO(run("list", "-o", "csv").out))
    assert line["title"] == title


def test_ndjson_has_a_session_to_a_line(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="s1")
    store_session(valkey_url, session_id="s2")
    lines = [json.loads(line) for line in run("list", "-o", "ndjson").out.splitlines()]
    assert {line["session_id"] for line in lines} == {"s1", "s2"}


def test_an_id_that_two_users_have_is_written_in_full(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, user="ada", session_id="same")
    store_session(valkey_url, user="bob", session_id="same")
    ids = run("list", "-o", "ids").out
    assert set(ids.split()) == {"demo/ada/same", "demo/bob/same"}
    assert run("delete", "-", "--yes", stdin=ids).code == 0
    assert run("list", "-o", "json").json == []


def test_a_narrow_table_keeps_the_ids_whole(run: Run, valkey_url: str) -> None:
    uuid = "8e42aa01-0000-4000-8000-0123456789ab"
    store_session(valkey_url, "a-long-app-name", "somebody@example.com", uuid, title="T" * 60)
    out = run("list", columns=80).out
    assert uuid in out
    assert max(map(len, out.splitlines())) <= 80
    wide = run("list", columns=200).out
    assert uuid in wide
    assert "somebody@example.com" in wide


def test_stored_text_cannot_control_a_terminal(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, app=ESCAPE, title=ESCAPE, state={"k": ESCAPE})
    for form in ("table", "csv", "json", "ndjson", "ids"):
        result = run("list", "-o", form, "--column", "state.k")
        assert result.code == 0
        assert "\x1b" not in result.out + result.err
    assert "[/red] [bold]" in run("list").out


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(
    run: Run, valkey_url: str, database: redis.Redis
) -> None:
    store_session(valkey_url, session_id="good")
    database.set("session:demo:ada:broken", b"\xff\x00 not a document")
    database.hset("session:demo:ada:hash", "a", "b")
    database.set("session:web:prod:php", '{"cart": []}')
    database.set("session:other", "x")
    result = run("list", "-o", "json")
    assert [row["session_id"] for row in result.json] == ["good"]
    for name in ("demo/ada/broken", "demo/ada/hash", "web/prod/php"):
        assert name in result.err


def test_evaluations_are_marked(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="adk-eval-session-7")
    assert "eval" in run("list").out.splitlines()[1].split()


def test_watch_needs_a_terminal(run: Run) -> None:
    for words in (["--watch"], ["-w", "1"], ["--watch", "-o", "json"]):
        result = run("list", *words)
        assert result.code == 2
        assert "--watch" in result.err


@pytest.mark.parametrize("length", [0, 1, 500, 501, 1_234])
def test_an_array_is_printed_in_parts_as_it_would_be_whole(
    length: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"key": f"[\n{n}\n]", "empty": [], "nested": {"a": [n]}} for n in range(length)]
    write_json(rows)
    whole = capsys.readouterr().out
    array = JsonArray()
    array.write(iter(rows))
    array.close()
    assert capsys.readouterr().out == whole
    assert json.loads(whole) == rows


def test_the_key_has_the_prefix_and_the_escapes(run: Run, valkey_url: str) -> None:
    store_session(f"{valkey_url}?prefix=p:", user="a:b%", session_id="c")
    (row,) = run("list", "-o", "json", "--prefix", "p:").json
    assert row["key"] == "p:session:demo:a%3Ab%25:c"


def test_an_empty_answer_says_where_it_looked(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "support")
    store_session(valkey_url, "weather")
    result = run("list", "--app", "suport", "--since", "1h")
    assert (result.code, result.out) == (0, "")
    assert result.err == (
        f"No session matches --app suport --since 1h in {valkey_url}. "
        "There is no app 'suport'; there are support, weather.\n"
    )
    result = run("list", "--prefix", "prod:")
    assert "with the prefix 'prod:'" in result.err
    assert "''" in result.err
    assert "demo" not in result.err


def test_a_title_is_the_one_of_the_ui_or_the_first_message(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="named", title="Trip", texts=("hello",))
    store_session(valkey_url, session_id="spoken", texts=("One\nline  only, " + "x" * 80,))
    store_session(valkey_url, session_id="empty")
    rows = {row["session_id"]: row for row in run("list", "-o", "json").json}
    assert (rows["named"]["title"], rows["named"]["title_source"]) == ("Trip", "ui")
    assert rows["spoken"]["title"] == ("One line only, " + "x" * 80)[:50]
    assert rows["spoken"]["title_source"] == "message"
    assert (rows["empty"]["title"], rows["empty"]["title_source"]) == ("", None)


def test_status_is_shown_filtered_and_sorted(run: Run, database: redis.Redis) -> None:
    asked = called("refund", long_running_tool_ids=["c1"], args={"n": 1, "why": "y" * 200})
    for name, event in (
        ("a-ok", said("helper", "hi")),
        ("b-open", asked),
        ("c-bad", {"author": "helper", "error_code": "500", "error_message": "broken"}),
        ("d-new", said("user", "hello?")),
    ):
        put_document(database, SessionRef("demo", "ada", name), event, ttl=3_500)
    rows = {row["session_id"]: row for row in run("list", "-o", "json").json}
    assert [rows[name]["status"] for name in sorted(rows)] == [
        *("ok", "waiting", "failed", "unanswered")
    ]
    (waiting,) = rows["b-open"]["waiting_for"]
    assert (waiting["tool"], waiting["request"]) == ("refund", None)
    assert waiting["since"].startswith("2026-11-18T11:06:40")
    assert waiting["arguments"]["n"] == 1
    assert len(waiting["arguments"]["why"]) < 100
    assert rows["a-ok"]["waiting_for"] == []
    filtered = run(
        "list", "--status", "failed", "--status", "waiting", "-o", "ids", "--sort", "status"
    )
    assert filtered.out.split() == ["b-open", "c-bad"]
    ordered = run("list", "--sort", "status", "-o", "ids").out.split()
    assert ordered == ["b-open", "c-bad", "d-new", "a-ok"]
    assert run("list", "--status", "nonsense").code == 2
    # it expires before an answer is likely
    assert re.search(r"58m \d+s!$", run("list").out, re.MULTILINE)


def test_values_of_every_state_are_columns(run: Run, valkey_url: str) -> None:
    store_session(
        valkey_url,
        state={"cart": [{"sku": "X-1"}], "a.b": 7},
        user_state={"plan": {"tier": "pro"}},
    )
    names = ("state.cart.0.sku", "state.a.b", "user:plan.tier", "app:mode", "state.cart.9.sku")
    words = [word for name in names for word in ("--column", name)]
    (row,) = run("list", "-o", "json", *words).json
    assert [row[name] for name in names] == ["X-1", 7, "pro", None, None]
    assert run("list", "--columns", "id,user:plan.tier", "--no-headers").out.split() == [
        *("session-1", "pro")
    ]
    (row,) = run("list", "--columns", "id,updated,state.a.b", "-o", "json").json
    assert list(row) == ["session_id", "updated_at", "state.a.b"]
    lines = run("list", "--columns", "id,app", "-o", "csv").out.splitlines()
    assert lines == ["session_id,app_name", "session-1,demo"]
    for wrong in (["--columns", "nope"], ["--columns", ","], ["--column", "topic"]):
        assert run("list", *wrong).code == 2


@pytest.mark.parametrize("output", ["ndjson", "csv", "ids"])
def test_a_large_database_is_streamed_with_and_without_its_index(
    run: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    for number in range(5):
        store_session(valkey_url, session_id=f"session-{number}")
    words = ("list", "-n", "0", "-o", output)
    unsorted = run(*words)
    assert "The sessions are not sorted" in unsorted.err
    run("doctor", "--fix")
    ordered = run(*words)
    assert ordered.err == ""
    newest_first = [f"session-{number}" for number in range(4, -1, -1)]
    assert _named(ordered.out) == newest_first
    assert sorted(_named(unsorted.out), reverse=True) == newest_first
    listed = run("list", "-n", "0", "-o", "json")
    assert ([row["session_id"] for row in listed.json], listed.err) == (newest_first, "")
    scanned = run(*words, "--scan")
    assert "The sessions are not sorted" in scanned.err
    assert "doctor" not in scanned.err, "the index is complete"
    nothing = run(*words, "--app", "none")
    assert (_named(nothing.out), "No session matches" in nothing.err) == ([], True)


def test_a_stream_names_what_it_cannot_read(
    run: Run, valkey_url: str, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    for number in range(3):
        store_session(valkey_url, session_id=f"session-{number}")
    run("doctor", "--fix")
    database.set("session:demo:ada:session-1", "text")
    for words in ((), ("--scan",)):
        result = run("list", "-n", "0", "-o", "ndjson", *words)
        assert _named(result.out) in (["session-2", "session-0"], ["session-0", "session-2"])
        assert "demo/ada/session-1 is not listed: it is not a session document." in result.err


def _named(out: str) -> list[str]:
    """The session ids in an output, each once, in order."""
    return list(dict.fromkeys(re.findall(r"session-\d", out)))


@pytest.mark.parametrize("small", [0, 10_000])
def test_the_last_page_names_the_command_that_shows_what_was_updated_meanwhile(
    run: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    refs = [
        store_session(valkey_url, session_id=f"session-{n}", now=NOW - n, ttl=0) for n in range(3)
    ]
    run("doctor", "--fix")
    monkeypatch.setattr(recency, "SMALL", small)

    def command(result: Result, start: str) -> list[str]:
        (line,) = [line for line in result.err.splitlines() if line.startswith(start)]
        return line.removeprefix(f"{start} adksess ").split()

    first = run("list", "--app", "demo", "-n", 1, "-o", "ids")
    append_text(valkey_url, refs[2], "hello")
    second = run(*command(first, "Next:"))
    assert (first.out, second.out) == ("session-0\n", "session-1\n")
    again = command(second, "Updated meanwhile:")
    assert again[:4] == ["list", "--app", "demo", "--since"]
    assert run(*again).out == "session-2\n"


def test_a_stream_names_sessions_of_one_id_so_that_each_is_found(
    run: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    monkeypatch.setattr(recency, "PAGE", 1)
    for number, app in enumerate(("demo", "other")):  # each in a batch of its own
        store_session(valkey_url, app=app, now=NOW - number, ttl=0)
    run("doctor", "--fix")
    ids = run("list", "-n", "0", "-o", "ids")
    assert ids.out == "demo/ada/session-1\nother/ada/session-1\n"
    assert run("delete", "-", "--yes", stdin=ids.out).out.startswith("Deleted 2 sessions")


def test_a_stream_after_a_page_repeats_no_session_that_was_updated_meanwhile(
    run: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    refs = [
        store_session(valkey_url, session_id=f"session-{n}", now=NOW - n, ttl=0) for n in range(3)
    ]
    run("doctor", "--fix")
    first = run("list", "--reverse", "-n", 1, "-o", "ids")
    cursor = first.err.partition("--before ")[2].split()[0]
    append_text(valkey_url, refs[2], "hello")
    for words in ((), ("--scan",)):
        rest = run("list", "--reverse", "-n", 0, "-o", "ndjson", "--before", cursor, *words)
        assert sorted(_named(rest.out)) == ["session-0", "session-1"]
        assert "Updated meanwhile: adksess list" in rest.err
