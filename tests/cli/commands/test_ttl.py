"""`adksess ttl`: when sessions expire, and changing it."""

import time
from collections.abc import Sequence

import pytest
import redis

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore
from tests.cli.sessions import masked
from tests.conftest import Run


@pytest.mark.usefixtures("three")
def test_ttl_is_shown_in_words_and_seconds(run: Run) -> None:
    run("ttl", "ada-first", "--set", "26h30m")
    assert "1d 2h" in run("ttl", "ada-first").out
    assert "never" in run("ttl", "bob-first").out
    (row,) = run("ttl", "bob-first", "-o", "json").json
    assert row["ttl_seconds"] is None


@pytest.mark.usefixtures("three")
def test_set_keeps_the_index_alive(run: Run, database: redis.Redis) -> None:
    assert run("ttl", "ada-first", "--set", "7d").code == 0
    assert 604_700 < database.ttl("session:demo:ada:ada-first") <= 604_800
    assert database.ttl("user_sessions:demo:ada") >= 604_700
    score = database.zscore("user_sessions:demo:ada", "ada-first")
    assert score is not None
    assert abs(score - time.time() - 604_800) < 60


@pytest.mark.usefixtures("three")
def test_persist_and_back(run: Run, database: redis.Redis) -> None:
    run("ttl", "ada-first", "--persist")
    assert database.ttl("session:demo:ada:ada-first") == -1
    assert database.ttl("user_sessions:demo:ada") == -1
    run("ttl", "ada-first", "--set", "2h")
    assert 7_100 < database.ttl("session:demo:ada:ada-first") <= 7_200
    assert database.ttl("user_sessions:demo:ada") > 7_200


@pytest.mark.usefixtures("three")
def test_a_bulk_change_asks_for_confirmation(run: Run, database: redis.Redis) -> None:
    assert run("ttl", "--app", "demo", "--set", "1h").code == 2
    assert "2 sessions" in run("ttl", "--app", "demo", "--set", "1h", "--dry-run").out
    assert database.ttl("session:demo:ada:ada-first") > 7_200
    assert run("ttl", "--app", "demo", "--set", "1h", "--yes").code == 0
    assert database.ttl("session:demo:ada:ada-second") <= 3_600


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("wrong", ["soon", "-1", "5 parsecs", ""])
def test_a_bad_duration_changes_nothing(run: Run, database: redis.Redis, wrong: str) -> None:
    assert run("ttl", "ada-first", "--set", wrong).code == 2
    assert database.ttl("session:demo:ada:ada-first") > 86_000


@pytest.mark.usefixtures("three")
def test_missing_sessions_and_contradicting_options(run: Run) -> None:
    assert run("ttl").code == 2
    assert run("ttl", "not-there").code == 3
    assert run("ttl", "ada-first", "--set", "1h", "--persist").code == 2


def test_values_that_are_not_sessions_are_not_changed(run: Run, database: redis.Redis) -> None:
    database.rpush("session:demo:ada:list", "x")
    result = run("ttl", "session:demo:ada:list", "--set", "1s")
    assert "was not changed" in result.err
    assert database.ttl("session:demo:ada:list") == -1


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
Would let 2 sessions, not updated for 1h, expire in 30 days.
"""

_TTL = """\
SESSION                               EXPIRES IN  SECONDS
chat-1                                1d 1h         93000
chat-2                                never             -
"""

_FIRST = """\
SESSION                               EXPIRES IN  SECONDS
chat-1                                1d 1h         93000
"""

_NEVER = """\
SESSION                               EXPIRES IN  SECONDS
chat-1                                never             -
chat-2                                never             -
2 sessions never expire.
"""


@pytest.mark.usefixtures("used_two_hours_ago")
@pytest.mark.parametrize(
    ("words", "columns", "code", "out", "err"),
    [
        ("--idle 1h", 80, 0, _TTL, ""),
        ("--idle 1h", 120, 0, _TTL, ""),
        ("--idle 1h -n 1", 80, 0, _FIRST, "1 of 2 sessions; -n 0 shows all.\n"),
        ("--idle 1h --set 30d --dry-run", 80, 0, _NARROW + _WOULD, ""),
        ("--idle 1h --set 30d --dry-run", 120, 0, _WIDE + _WOULD, ""),
        ("--idle 1h --persist --yes", 80, 0, _NEVER, ""),
        ("--idle 1h --persist --yes", 120, 0, _NEVER, ""),
        ("--idle 1h --persist --yes -q", 120, 0, "", ""),
    ],
)
def test_the_whole_output(
    run: Run, words: str, columns: int, code: int, out: str, err: str
) -> None:
    result = run("ttl", *words.split(), columns=columns)
    assert (result.code, masked(result.out), masked(result.err)) == (code, out, err)


def test_many_are_set_in_batches(
    run: Run, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = '{"events": [], "state": {}}'
    database.mset({f"session:many:ada:{number:04}": document for number in range(1_200)})
    batches: list[int] = []
    set_expiries = SessionStore.set_expiries

    async def counted(store: SessionStore, refs: Sequence[SessionRef], seconds: int) -> list[bool]:
        batches.append(len(refs))
        return await set_expiries(store, refs, seconds)

    monkeypatch.setattr(SessionStore, "set_expiries", counted)
    result = run("ttl", "--app", "many", "--set", "2h", "--yes")
    assert (result.out, result.err) == ("1,200 sessions expire in 2h.\n", "")
    assert batches == [500, 500, 200]
    assert 7_000 < database.ttl("session:many:ada:0007") <= 7_200
