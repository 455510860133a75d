"""`adksess flush`: sessions are deleted, no other key is."""

import pytest
import redis

from adksess.cli.commands import deletion
from adksess.cli.errors import Declined
from tests.cli.sessions import ids_in, masked, store_session
from tests.conftest import Run


@pytest.mark.usefixtures("three")
def test_foreign_keys_are_kept(run: Run, database: redis.Redis) -> None:
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


@pytest.mark.usefixtures("three")
def test_without_yes_it_fails_and_says_what_it_would_do(run: Run) -> None:
    result = run("flush")
    assert result.code == 2
    assert "3 sessions" in result.err
    assert "3 sessions" in run("flush", "--dry-run").out
    assert len(ids_in(run)) == 3


@pytest.mark.usefixtures("three")
def test_sessions_of_other_tools_are_deleted_and_other_values_named(
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


@pytest.mark.usefixtures("three")
def test_filters_limit_the_flush(run: Run) -> None:
    run("flush", "--app", "demo", "--yes")
    assert ids_in(run) == {"bob-first"}


@pytest.mark.usefixtures("three")
def test_state_is_deleted_with_the_option(run: Run, database: redis.Redis) -> None:
    database.set("user_state:not:ours", "a string")
    run("flush", "--state", "--yes")
    assert database.keys("*") == [b"user_state:not:ours"]
    assert run("flush", "--state", "--idle", "1d", "--yes").code == 2


@pytest.mark.usefixtures("three")
def test_an_empty_database_is_not_an_error(run: Run) -> None:
    run("flush", "--yes")
    result = run("flush", "--yes")
    assert (result.code, result.out) == (0, "Nothing to delete.\n")


@pytest.mark.usefixtures("three")
def test_an_unknown_app_is_explained(run: Run) -> None:
    for words in (("--yes",), ("--dry-run",), ("--since", "1d", "--yes")):
        result = run("flush", "--app", "demos", *words)
        assert (result.code, result.out) == (0, "Nothing to delete.\n")
        assert "There is no app 'demos'" in result.err


@pytest.mark.usefixtures("three")
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

_WOULD = """\
Would delete 2 sessions (655 bytes) of 2 users in apps demo, weather.
"""

_DELETED = """\
Deleted 2 sessions, 655 bytes freed; and 1 state hash.
"""

_KEPT = """\
Artifacts and memory are stored by other services and were not deleted.
"""


@pytest.mark.usefixtures("used_two_hours_ago")
@pytest.mark.parametrize(
    ("words", "columns", "code", "out", "err"),
    [
        ("--dry-run", 80, 0, _NARROW + _WOULD, ""),
        ("--dry-run", 120, 0, _WIDE + _WOULD, ""),
        ("--state --yes", 80, 0, _DELETED, _KEPT),
        ("--state --yes", 120, 0, _DELETED, _KEPT),
        ("--state --yes --quiet", 80, 0, "", ""),
    ],
)
def test_the_whole_output(
    run: Run, words: str, columns: int, code: int, out: str, err: str
) -> None:
    result = run("flush", *words.split(), columns=columns)
    assert (result.code, masked(result.out), masked(result.err)) == (code, out, err)


@pytest.mark.parametrize(
    ("words", "typed"), [([], 1_001), (["--app", "many"], 1_001), (["--app", "few"], None)]
)
def test_a_large_flush_asks_for_the_count(
    run: Run,
    database: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    typed: int | None,
) -> None:
    document = '{"events": [], "state": {}}'
    database.mset({f"session:many:ada:{number:04}": document for number in range(1_001)})
    if words == ["--app", "few"]:
        database.mset({f"session:few:ada:{number:04}": document for number in range(1_000)})
    asked: list[int | None] = []

    def decline(*_: object, count: int | None = None) -> None:
        asked.append(count)
        raise Declined

    monkeypatch.setattr(deletion, "confirm", decline)
    result = run("flush", *words)
    assert (result.code, result.err) == (1, "Nothing was changed.\n")
    assert asked == [typed]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("option", ["--app", "--user", "--app-like", "--user-like"])
@pytest.mark.parametrize("command", ["flush", "delete"])
def test_an_empty_filter_selects_nothing(run: Run, command: str, option: str) -> None:
    """As from a variable that is not set."""
    result = run(command, option, "", "--yes")
    assert (result.code, result.out) == (0, "Nothing to delete.\n")
    assert len(ids_in(run)) == 3
