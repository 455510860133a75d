"""Which sessions ids, filters and a list from stdin select, in every command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from tests.cli.sessions import ids_in, store_session
from tests.conftest import Run


@pytest.mark.parametrize(
    "words",
    [
        ["delete", "-", "--yes"],
        ["ttl", "-", "--persist"],
        ["trim", "-", "--keep-last", "1", "--yes"],
        ["export", "-"],
    ],
)
def test_a_piped_name_never_selects_a_longer_one(
    run: Run, database: redis.Redis, valkey_url: str, words: list[str]
) -> None:
    store_session(valkey_url, session_id="chat-10", texts=("one", "two"))
    before = database.dump("session:demo:ada:chat-10")
    result = run(*words, stdin="chat-1\n")
    assert result.code == 3
    assert "There is no session 'chat-1'" in result.err
    assert "chat-10" not in result.out
    assert database.dump("session:demo:ada:chat-10") == before


@pytest.mark.parametrize(
    "words",
    [
        ["list", "-o", "ids"],
        ["export"],
        ["delete", "--yes"],
        ["flush", "--yes"],
        ["flush", "--yes", "--idle", "1h"],
        ["ttl", "--set", "1h", "--yes"],
    ],
)
@pytest.mark.parametrize(
    ("filters", "selected"),
    [
        (["--app", "a", "--app", "b"], {"a-u", "a-v", "b-u"}),
        (["-u", "u", "--user=v", "--user", "u"], {"a-u", "a-v", "b-u"}),
        (["--app", "a", "--user", "u", "--user", "w"], {"a-u", "a-w"}),
    ],
)
def test_repeated_apps_and_users_select_any_of_them(
    run: Run,
    database: redis.Redis,
    valkey_url: str,
    words: list[str],
    filters: list[str],
    selected: set[str],
) -> None:
    stored = {"a-u", "a-v", "a-w", "b-u", "c-x"} - ({"a-w"} if "w" not in filters else set())
    for name in stored:
        app, _, user = name.partition("-")
        store_session(valkey_url, app, user, name, now=time.time() - 7_200)
    result = run(*words, *filters)
    assert result.code == 0
    if words[0] == "list":
        assert set(result.out.split()) == selected
    elif words[0] == "export":
        lines = map(json.loads, result.out.splitlines())
        assert {line["session_id"] for line in lines if "session_id" in line} == selected
    elif words[0] == "ttl":
        short = {name for name in stored if database.ttl(_key(name)) <= 3_600}
        assert short == selected
    else:
        assert ids_in(run) == stored - selected


def _key(name: str) -> str:
    app, _, user = name.partition("-")
    return f"session:{app}:{user}:{name}"


def test_the_state_of_every_named_user_is_deleted(
    run: Run, database: redis.Redis, valkey_url: str
) -> None:
    for user in ("u", "v", "w"):
        store_session(valkey_url, "demo", user, f"of-{user}", user_state={"name": user})
    words = ("--user", "u", "--user", "v", "--yes")
    assert run("delete", *words, "--with-user-state").code == 0
    assert database.keys("user_state:*") == [b"user_state:demo:w"]
    assert run("flush", "--app", "demo", "--app", "other", "--state", "--yes").code == 0
    assert database.keys("*") == []


def test_an_id_that_looks_like_a_name_is_piped_as_its_key(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "chat-10")
    store_session(valkey_url, "evil", "eve", "demo/ada/chat-10")
    ids = run("list", "--app", "evil", "-o", "ids").out
    assert run("delete", "-", "--yes", stdin=ids).code == 0
    assert ids_in(run) == {"chat-10"}


def test_what_would_select_everything_is_rejected(run: Run, valkey_url: str) -> None:
    store_session(valkey_url)
    assert run("delete", "--idle", "0", "--yes").code == 2
    assert run("flush", "--yes", "-r", "").code == 2
    assert run("flush", "--yes", "-r", f"{valkey_url.rpartition('/')[0]}/foo").code == 2
    assert ids_in(run) == {"session-1"}


def test_ids_that_begin_with_a_dash(run: Run, valkey_url: str) -> None:
    for name in ("-100", "--all"):
        store_session(valkey_url, session_id=name)
    result = run("show", "-100")
    assert result.code == 2
    assert "before an id that begins with a dash, write -- or app/user/" in result.err
    assert "dash" not in run("show", "--event", "3").err
    for words in (["--", "-100"], ["demo/ada/-100"]):
        assert run("show", "-o", "json", *words).json["session_id"] == "-100"
    ids = run("list", "-o", "ids").out
    assert set(ids.split()) == {"session:demo:ada:-100", "session:demo:ada:--all"}
    assert run("delete", "--yes", *ids.split()).code == 0
    assert ids_in(run) == set()


def test_days_and_numbers_without_a_unit(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="new")
    store_session(valkey_url, session_id="old", now=time.time() - 2 * 86_400 - 60)
    assert run("list", "--since", "yesterday", "-o", "ids").out.split() == ["new"]
    assert run("list", "--until", "today", "-o", "ids").out.split() == ["old"]
    assert run("list", "--idle", "36 hours", "-o", "ids").out.split() == ["old"]
    for words in (["--idle", "30"], ["--since", "30"]):
        result = run("list", *words)
        assert result.code == 2
        assert "'30' has no unit: write 30s for seconds or 30d for days" in result.err


def test_quiet_commands_print_nothing(run: Run, valkey_url: str, tmp_path: Path) -> None:
    store_session(valkey_url)
    file = tmp_path / "sessions.ndjson"
    for words in (
        ["export", "--out", file, "-q"],
        ["copy", "session-1", "--to-user", "bob", "-q"],
        ["migrate", "--to", f"sqlite:///{tmp_path / 'sessions.db'}", "-q"],
        ["init", tmp_path, "-q"],
        ["init", tmp_path, "-q"],
        ["delete", "--app", "demo", "--yes", "-q"],
        ["import", file, "-q"],
        ["ttl", "--app", "demo", "--set", "1h", "--yes", "-q"],
        ["trim", "--app", "demo", "--keep-last", "5", "--yes", "-q"],
        ["export", "session-1", "--format", "adk", "--out", tmp_path / "one.json", "-q"],
        ["flush", "--yes", "-q"],
    ):
        result = run(*words)
        assert (result.code, result.out, result.err) == (0, "", ""), words


@pytest.mark.parametrize(
    "words",
    [
        ["delete", "--yes"],
        ["delete", "--dry-run"],
        ["trim", "--keep-last", "1", "--yes"],
        ["move", "--to-user", "bob", "--yes"],
        ["ttl", "--set", "1d"],
        ["export"],
        ["export", "--format", "md"],
    ],
    ids=" ".join,
)
def test_if_every_named_session_is_missing_only_errors_are_printed(
    run: Run, database: redis.Redis, words: list[str]
) -> None:
    name, *options = words
    result = run(name, "nope-1", "nope-2", *options)
    assert (result.code, result.out) == (3, "")
    assert [line.split(":")[0] for line in result.err.splitlines()] == ["error"] * 2
    assert "'nope-1'" in result.err
    assert "'nope-2'" in result.err


@pytest.mark.parametrize("words", [["list", "-o", "ids"], ["search", "needle", "-o", "ids"]])
def test_every_name_that_is_printed_for_a_pipe_is_found(
    run: Run, valkey_url: str, words: list[str]
) -> None:
    ids = [
        "a\x1b[31mb",
        "tab\tand\nline",
        "50%",
        "%1b",
        " blank ",
        "\u202eolleh",
        "\u00fcber",
        "a:b\x07",
    ]
    for number, session_id in enumerate(ids):
        store_session(valkey_url, f"app{number}", session_id=session_id, texts=("needle",))
        store_session(valkey_url, "x\x1b", f"user/{number}", session_id, texts=("needle",))
    names = run(*words).out
    assert len(names.splitlines()) == 2 * len(ids)
    assert not set(names) - {"\n"} & set(map(chr, range(32)))
    result = run("delete", "-", "--yes", stdin=names)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Deleted {2 * len(ids)} sessions")


def test_a_name_that_an_encoding_lacks_is_found(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, session_id="\u00fcber")
    words = [sys.executable, "-m", "adksess", "list", "-o", "ids"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    out = subprocess.run(words, env=environment, capture_output=True, check=True).stdout
    assert out == b"session:demo:ada:%C3%BCber\n"
    assert run("delete", "-", "--yes", stdin=out.decode()).code == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "command", ["delete", "trim --keep-last 1", "move --to-user eve"], ids=lambda words: words[:4]
)
def test_a_change_that_selects_nothing_says_what_a_name_may_have_been(
    run: Run, command: str
) -> None:
    result = run(*command.split(), "--app", "dmeo", "--yes")
    assert (result.code, result.out.startswith("Nothing to ")) == (0, True)
    assert "No session matches --app dmeo in redis://" in result.err
    assert "There is no app 'dmeo'; there are demo, other." in result.err
    assert run(*command.split(), "--app", "dmeo", "--yes", "--quiet").err == ""
