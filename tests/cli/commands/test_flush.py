"""`adksess flush`: sessions are deleted, no other key is."""

import pytest
import redis

from tests.cli.sessions import ids_in, store_session
from tests.conftest import Run

pytestmark = pytest.mark.usefixtures("three")


def test_foreign_keys_stay(run: Run, database: redis.Redis) -> None:
    foreign = {f"foreign:{n}": f"value {n}" for n in range(500)}
    foreign |= {"session:php": "a:1", "session:web:prod:1": "text", "session": "x"}
    foreign |= {"xsession:demo:ada:s": "{}", "prod:session:demo:ada:s": "{}"}
    database.mset(foreign)
    result = run("flush", "--yes")
    assert result.code == 0
    assert "3 sessions" in result.out
    assert ids_in(run) == set()
    assert database.mget(list(foreign)) == [value.encode() for value in foreign.values()]
    assert database.exists("user_state:demo:ada")


def test_it_refuses_without_yes_and_says_what_it_would_do(run: Run) -> None:
    result = run("flush")
    assert result.code == 2
    assert "3 sessions" in result.err
    assert "3 sessions" in run("flush", "--dry-run").out
    assert len(ids_in(run)) == 3


def test_sessions_of_other_tools_go_and_what_is_none_is_named(
    run: Run, database: redis.Redis
) -> None:
    database.set("session:demo:ada:plain", '{"events": [], "state": {}}')
    database.set("session:demo:ada:broken", "no session")
    database.hset("session:demo:ada:hash", "a", "b")
    for words in (["--app", "nothing"], []):
        result = run("flush", "--yes", *words)
        assert result.code == 0
    assert "4 sessions" in result.out
    assert "demo/ada/broken was not changed" in result.err
    assert "demo/ada/hash was not changed" in result.err
    left = {b"session:demo:ada:broken", b"session:demo:ada:hash", b"user_state:demo:ada"}
    assert set(database.keys("*")) == left


def test_filters_limit_it(run: Run) -> None:
    run("flush", "--app", "demo", "--yes")
    assert ids_in(run) == {"bob-first"}


def test_state_goes_when_asked(run: Run, database: redis.Redis) -> None:
    database.set("user_state:not:ours", "a string")
    run("flush", "--state", "--yes")
    assert database.keys("*") == [b"user_state:not:ours"]
    assert run("flush", "--state", "--idle", "1d", "--yes").code == 2


def test_nothing_there_is_no_error(run: Run) -> None:
    run("flush", "--yes")
    result = run("flush", "--yes")
    assert (result.code, result.out) == (0, "Nothing to delete.\n")


def test_only_under_the_prefix(run: Run, valkey_url: str) -> None:
    store_session(f"{valkey_url}?prefix=prod:", "demo", "ada", "in-prod")
    run("flush", "--yes")
    assert run("list", "--prefix", "prod:", "-o", "ids").out == "in-prod\n"


def test_flush_keeps_what_only_ends_like_a_session(run: Run, database: redis.Redis) -> None:
    key, value = "session:other:tool:cfg", b'{"my":"data","tail_bytes":         99}'
    database.set(key, value)
    result = run("flush", "--yes")
    assert "other/tool/cfg was not changed" in result.err
    assert database.get(key) == value
