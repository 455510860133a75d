"""`adksess delete`: what it deletes, and what it keeps."""

import time

import pytest
import redis

from adksess.store import recency
from tests.cli.sessions import ids_in, masked, store_session
from tests.conftest import Run


@pytest.mark.usefixtures("three")
def test_an_empty_selection_never_selects_everything(run: Run) -> None:
    assert run("delete", "--yes").code == 2
    assert run("delete", "-", "--yes", stdin="").code == 0
    assert run("delete", "ada-first", "--app", "demo", "--yes").code == 2
    assert len(ids_in(run)) == 3


@pytest.mark.usefixtures("three")
def test_without_a_terminal_it_asks_for_yes(run: Run) -> None:
    result = run("delete", "ada-first", stdin="y\n")
    assert result.code == 2
    assert "--yes" in result.err
    assert len(ids_in(run)) == 3


@pytest.mark.usefixtures("three")
def test_dry_run_changes_nothing(run: Run) -> None:
    result = run("delete", "--app", "demo", "--dry-run")
    assert result.code == 0
    assert "2 sessions" in result.out
    assert "user ada" in result.out
    assert len(ids_in(run)) == 3


@pytest.mark.usefixtures("three")
def test_by_id_and_index(run: Run, database: redis.Redis) -> None:
    result = run("delete", "ada-f", "--yes")
    assert (result.code, "1 session" in result.out) == (0, True)
    assert ids_in(run) == {"ada-second", "bob-first"}
    assert database.zrange("user_sessions:demo:ada", 0, -1) == [b"ada-second"]
    assert database.exists("user_state:demo:ada")


@pytest.mark.usefixtures("three")
def test_one_missing_id_does_not_keep_the_others(run: Run) -> None:
    result = run("delete", "ada-first", "nothing-here", "--yes")
    assert result.code == 3
    assert "nothing-here" in result.err
    assert ids_in(run) == {"ada-second", "bob-first"}


@pytest.mark.usefixtures("three")
def test_one_ambiguous_id_keeps_them_all(run: Run) -> None:
    assert run("delete", "bob-first", "ada-", "--yes").code == 2
    assert len(ids_in(run)) == 3


@pytest.mark.usefixtures("three")
def test_a_piped_list(run: Run) -> None:
    ids = run("list", "--app", "demo", "-o", "ids").out
    assert run("delete", "-", "--yes", stdin=ids).code == 0
    assert ids_in(run) == {"bob-first"}


@pytest.mark.usefixtures("three")
def test_filters(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "ancient", now=time.time() - 90 * 86_400)
    assert "1 session" in run("delete", "--idle", "30d", "--yes").out
    assert "ancient" not in ids_in(run)
    run("delete", "--no-ttl", "--yes")
    assert ids_in(run) == {"ada-first", "ada-second"}


@pytest.mark.usefixtures("three")
def test_user_state_is_deleted_with_the_option(run: Run, database: redis.Redis) -> None:
    assert run("delete", "--app", "demo", "--with-user-state", "--yes").code == 2
    result = run("delete", "--app", "demo", "--user", "ada", "--with-user-state", "--yes")
    assert result.code == 0
    assert "Artifacts" in result.err
    assert not database.exists("user_state:demo:ada")
    assert ids_in(run) == {"bob-first"}


@pytest.mark.usefixtures("three")
def test_user_state_without_sessions(run: Run, database: redis.Redis) -> None:
    words = ("delete", "--app", "demo", "--user", "ada", "--yes")
    run(*words)
    assert database.exists("user_state:demo:ada")
    run(*words, "--with-user-state")
    assert not database.exists("user_state:demo:ada")


def test_user_state_of_filtered_out_sessions_is_kept(run: Run, valkey_url: str) -> None:
    for app in ("demo", "weather"):
        store_session(valkey_url, app, "ada", f"in-{app}", user_state={"name": "Ada"})
    delete = ("delete", "--user", "ada", "--with-user-state", "--yes")
    run(*delete, "--app-like", "dem*")
    run(*delete, "--idle", "1h")
    assert ids_in(run) == {"in-weather"}
    assert run("state", "get", "demo/ada", "name").code == 3
    assert run("state", "get", "weather/ada", "name").out == '"Ada"\n'


_NARROW = """\
SESSION APP     USER EVENTS AGE   TTL
chat-1  demo    ada       0  2h    1d
chat-2  weather bob       0  2h never
"""

_WIDE = """\
SESSION  APP      USER  EVENTS       SIZE     UPDATED (UTC)    TTL
chat-1   demo     ada        0  332 bytes  0000-00-00 00:00  1d 1h
chat-2   weather  bob        0  323 bytes  0000-00-00 00:00  never
"""

_WOULD_NARROW = """\
Would delete 2 sessions (655 bytes) of 2 users in apps demo, weather, not \n\
updated for 1h.
"""

_WOULD_WIDE = """\
Would delete 2 sessions (655 bytes) of 2 users in apps demo, weather, not updated for 1h.
"""

_DELETED = "Deleted 1 session, 332 bytes freed; and 1 state hash.\n"

_KEPT = """\
Artifacts and memory are stored by other services and were not deleted.
"""

_MISSING = """\
error: There is no session 'nothing': list the existing ones with adksess list.
"""


@pytest.mark.usefixtures("used_two_hours_ago")
@pytest.mark.parametrize(
    ("words", "columns", "code", "out", "err"),
    [
        ("--idle 1h --dry-run", 80, 0, _NARROW + _WOULD_NARROW, ""),
        ("--idle 1h --dry-run", 120, 0, _WIDE + _WOULD_WIDE, ""),
        ("--idle 1h --dry-run -q", 120, 0, _WIDE, ""),
        ("--idle 1h --yes", 80, 0, "Deleted 2 sessions, 655 bytes freed.\n", ""),
        ("--idle 1h --yes", 120, 0, "Deleted 2 sessions, 655 bytes freed.\n", ""),
        ("--idle 1h --yes -q", 80, 0, "", ""),
        (
            "chat-1 nothing --with-user-state --yes",
            80,
            3,
            _DELETED,
            _KEPT + _MISSING,
        ),
        (
            "chat-1 nothing --with-user-state --yes",
            120,
            3,
            _DELETED,
            _KEPT + _MISSING,
        ),
        ("--since 2d --idle 3d", 80, 0, "Nothing to delete.\n", ""),
    ],
)
def test_the_whole_output(
    run: Run, words: str, columns: int, code: int, out: str, err: str
) -> None:
    result = run("delete", *words.split(), columns=columns)
    assert (result.code, masked(result.out), masked(result.err)) == (code, out, err)


@pytest.mark.parametrize("command", ["delete", "flush"])
def test_all_of_a_user_whose_index_was_lost(
    run: Run, database: redis.Redis, monkeypatch: pytest.MonkeyPatch, three: None, command: str
) -> None:
    run("doctor", "--fix")
    monkeypatch.setattr(recency, "SMALL", 0)
    database.delete("user_sessions:demo:ada")
    assert "2 sessions" in run(command, "--user", "ada", "--yes").out
    assert ids_in(run) == {"other/bob/bob-first"}
