"""`adksess delete`: what it deletes, and what it keeps."""

import time

import pytest
import redis

from tests.cli.sessions import ids_in, store_session
from tests.conftest import Run

pytestmark = pytest.mark.usefixtures("three")


def test_nothing_chosen_is_never_everything(run: Run) -> None:
    assert run("delete", "--yes").code == 2
    assert run("delete", "-", "--yes", stdin="").code == 0
    assert run("delete", "ada-first", "--app", "demo", "--yes").code == 2
    assert len(ids_in(run)) == 3


def test_without_a_terminal_it_asks_for_yes(run: Run) -> None:
    result = run("delete", "ada-first", stdin="y\n")
    assert result.code == 2
    assert "--yes" in result.err
    assert len(ids_in(run)) == 3


def test_dry_run_changes_nothing(run: Run) -> None:
    result = run("delete", "--app", "demo", "--dry-run")
    assert result.code == 0
    assert "2 sessions" in result.out
    assert "user ada" in result.out
    assert len(ids_in(run)) == 3


def test_by_id_and_index(run: Run, database: redis.Redis) -> None:
    result = run("delete", "ada-f", "--yes")
    assert (result.code, "1 session" in result.out) == (0, True)
    assert ids_in(run) == {"ada-second", "bob-first"}
    assert database.zrange("user_sessions:demo:ada", 0, -1) == [b"ada-second"]
    assert database.exists("user_state:demo:ada")


def test_one_missing_id_does_not_keep_the_others(run: Run) -> None:
    result = run("delete", "ada-first", "nothing-here", "--yes")
    assert result.code == 3
    assert "nothing-here" in result.err
    assert ids_in(run) == {"ada-second", "bob-first"}


def test_one_ambiguous_id_keeps_them_all(run: Run) -> None:
    assert run("delete", "bob-first", "ada-", "--yes").code == 2
    assert len(ids_in(run)) == 3


def test_a_piped_list(run: Run) -> None:
    ids = run("list", "--app", "demo", "-o", "ids").out
    assert run("delete", "-", "--yes", stdin=ids).code == 0
    assert ids_in(run) == {"bob-first"}


def test_filters(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "ancient", now=time.time() - 90 * 86_400)
    assert "1 session" in run("delete", "--idle", "30d", "--yes").out
    assert "ancient" not in ids_in(run)
    run("delete", "--no-ttl", "--yes")
    assert ids_in(run) == {"ada-first", "ada-second"}


def test_user_state_goes_when_asked(run: Run, database: redis.Redis) -> None:
    assert run("delete", "--app", "demo", "--with-user-state", "--yes").code == 2
    result = run("delete", "--app", "demo", "--user", "ada", "--with-user-state", "--yes")
    assert result.code == 0
    assert "Artifacts" in result.err
    assert not database.exists("user_state:demo:ada")
    assert ids_in(run) == {"bob-first"}


def test_user_state_without_sessions(run: Run, database: redis.Redis) -> None:
    words = ("delete", "--app", "demo", "--user", "ada", "--yes")
    run(*words)
    assert database.exists("user_state:demo:ada")
    run(*words, "--with-user-state")
    assert not database.exists("user_state:demo:ada")
