"""`adksess ttl`: when sessions expire, and changing it."""

import time

import pytest
import redis

from tests.conftest import Run

pytestmark = pytest.mark.usefixtures("three")


def test_in_words_and_seconds(run: Run) -> None:
    run("ttl", "ada-first", "--set", "26h30m")
    assert "1d 2h" in run("ttl", "ada-first").out
    assert "never" in run("ttl", "bob-first").out
    (row,) = run("ttl", "bob-first", "-o", "json").json
    assert row["ttl_seconds"] is None


def test_set_keeps_the_index_alive(run: Run, database: redis.Redis) -> None:
    assert run("ttl", "ada-first", "--set", "7d").code == 0
    assert 604_700 < database.ttl("session:demo:ada:ada-first") <= 604_800
    assert database.ttl("user_sessions:demo:ada") >= 604_700
    score = database.zscore("user_sessions:demo:ada", "ada-first")
    assert score is not None
    assert abs(score - time.time() - 604_800) < 60


def test_persist_and_back(run: Run, database: redis.Redis) -> None:
    run("ttl", "ada-first", "--persist")
    assert database.ttl("session:demo:ada:ada-first") == -1
    assert database.ttl("user_sessions:demo:ada") == -1
    run("ttl", "ada-first", "--set", "2h")
    assert 7_100 < database.ttl("session:demo:ada:ada-first") <= 7_200
    assert database.ttl("user_sessions:demo:ada") > 7_200


def test_in_bulk_it_asks(run: Run, database: redis.Redis) -> None:
    assert run("ttl", "--app", "demo", "--set", "1h").code == 2
    assert "2 sessions" in run("ttl", "--app", "demo", "--set", "1h", "--dry-run").out
    assert database.ttl("session:demo:ada:ada-first") > 7_200
    assert run("ttl", "--app", "demo", "--set", "1h", "--yes").code == 0
    assert database.ttl("session:demo:ada:ada-second") <= 3_600


@pytest.mark.parametrize("wrong", ["soon", "-1", "5 parsecs", ""])
def test_a_bad_duration_changes_nothing(run: Run, database: redis.Redis, wrong: str) -> None:
    assert run("ttl", "ada-first", "--set", wrong).code == 2
    assert database.ttl("session:demo:ada:ada-first") > 86_000


def test_missing_and_contradicting(run: Run) -> None:
    assert run("ttl").code == 2
    assert run("ttl", "not-there").code == 3
    assert run("ttl", "ada-first", "--set", "1h", "--persist").code == 2


def test_what_is_no_session_is_not_changed(run: Run, database: redis.Redis) -> None:
    database.rpush("session:demo:ada:list", "x")
    result = run("ttl", "session:demo:ada:list", "--set", "1s")
    assert "was not changed" in result.err
    assert database.ttl("session:demo:ada:list") == -1
