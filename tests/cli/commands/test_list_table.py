"""The table of `adksess list`, whole, at pinned times and widths."""
# ruff: noqa: E501 - whole lines of a table

import re
import sys
import time
from collections.abc import Iterator

import pytest
import redis
from rich.cells import cell_len

from adksess.cli.render.cells import cut_middle, isolated, short_id, unique_prefixes
from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, called, put_document, said
from tests.conftest import Run

_UUID = "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11"
_NEIGHBOR = "8e42aa01-7d00-4c55-9d0b-3f6a1c9b2e11"
_ISOLATES = re.compile("[\u2068\u2069]")


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fixed clock; times are shown in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def conversations(database: redis.Redis, at_noon: None) -> None:
    refund = called("request_refund", long_running_tool_ids=["c1"], args={"amount": 120})
    for ref, events, updated, ttl in (
        (
            SessionRef("remember", "user", _UUID),
            (said("user", "My name is Ada"), said("remember", "Hello")),
            NOW - 42,
            90_100,
        ),
        (
            SessionRef("support", "bob@example.com", _NEIGHBOR),
            (said("user", "注文した商品がまだ届いていません。どうすればいいですか"),),
            NOW - 7_300,
            90_100,
        ),
        (
            SessionRef("support", "مستخدم", "1f0c7d52-0a4e-4b8e-8f0e-5a5d3c1b9a77"),
            (said("user", "أين طلبي؟ لقد انتظرت"), refund),
            NOW - 10_900,
            7_300,
        ),
        (
            SessionRef("support", "carol", "c0ffee00-51de-4a11-b0a7-0123456789ab"),
            (said("user", "👩‍👩‍👧 to 🇯🇵 please"), {"author": "s", "error_code": "429"}),
            NOW - 260_000,
            None,
        ),
    ):
        put_document(database, ref, *events, updated=updated, ttl=ttl)


def test_80_columns_on_a_terminal(
    run: Run, conversations: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert _lines(run("list", columns=80).out) == [
        "SESSION     TITLE           STATUS     APP      USER            EVENTS AGE   TTL",
        "8e42aa01-7c My name is Ada             remember user                 2 42s    1d",
        "8e42aa01-7d 注文した商品が… unanswered support  bob@example.com      1  2h    1d",
        "1f0c7d52    أين طلبي؟ لقد…  waiting    support  مستخدم               2  3h   2h!",
        "c0ffee00    👩‍👩‍👧 to 🇯🇵 please failed     support  carol                2  3d never",
    ]


def test_120_columns_on_a_terminal(
    run: Run, conversations: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert _lines(run("list", columns=120).out) == [
        "SESSION      TITLE                    STATUS      APP       USER             EVENTS       SIZE     UPDATED (UTC)     TTL",
        "8e42aa01-7c  My name is Ada                       remember  user                  2  522 bytes  2026-11-18 11:05   1d 1h",
        "8e42aa01-7d  注文した商品がまだ届い…  unanswered  support   bob@example.com       1  512 bytes  2026-11-18 09:05   1d 1h",
        "1f0c7d52     أين طلبي؟ لقد انتظرت     waiting     support   مستخدم                2  640 bytes  2026-11-18 08:05  2h 1m!",
        "c0ffee00     👩‍👩‍👧 to 🇯🇵 please          failed      support   carol                 2  493 bytes  2026-11-15 10:53   never",
    ]


@pytest.mark.parametrize("color", ["", "1"])
def test_a_pipe_shows_ids_in_full(
    run: Run, conversations: None, monkeypatch: pytest.MonkeyPatch, color: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", color)
    assert _lines(run("list", columns=120).out) == [
        "SESSION                               TITLE                   STATUS      APP       USER             EVENTS  AGE     TTL",
        "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11  My name is Ada                      remember  user                  2  42s   1d 1h",
        "8e42aa01-7d00-4c55-9d0b-3f6a1c9b2e11  注文した商品がまだ届…   unanswered  support   bob@example.com       1   2h   1d 1h",
        "1f0c7d52-0a4e-4b8e-8f0e-5a5d3c1b9a77  أين طلبي؟ لقد انتظرت    waiting     support   مستخدم                2   3h  2h 1m!",
        "c0ffee00-51de-4a11-b0a7-0123456789ab  👩‍👩‍👧 to 🇯🇵 please         failed      support   carol                 2   3d   never",
    ]


def test_columns_are_chosen_and_headers_left_out(run: Run, conversations: None) -> None:
    chosen = run("list", "--columns", "id,status,waiting", "--no-headers", "--status", "waiting")
    assert chosen.out.split() == [
        "1f0c7d52-0a4e-4b8e-8f0e-5a5d3c1b9a77",
        "waiting",
        "request_refund(amount=120)",
    ]


def test_one_long_name_does_not_shorten_the_others(
    run: Run, conversations: None, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ref = SessionRef("app-" + "a" * 60, "user-" + "u" * 60, "id-" + "x" * 90)
    put_document(database, ref)
    for width in (80, 120):
        lines = _lines(run("list", columns=width).out)
        assert max(map(cell_len, lines)) <= width
        shown = next(line for line in lines if line.startswith("id-")).split()[0]
        prefix = shown.partition("…")[0]
        assert len(shown) <= 40
        assert run("show", prefix, "-o", "json").json["session_id"] == ref.session_id
    assert "bob@example.com" in run("list", columns=120).out
    assert ref.session_id in run("list", "--full-ids", columns=120).out


def test_right_to_left_text_is_isolated(run: Run, conversations: None) -> None:
    line = next(line for line in run("list").out.splitlines() if "مستخدم" in line)
    assert "\u2068مستخدم\u2069" in line


def test_short_ids_name_one_session() -> None:
    ids = [_UUID, _NEIGHBOR, "chat", "chat-1", "c0ffee00-51de-4a11-b0a7-0123456789ab"]
    unique = unique_prefixes(ids)
    shown = {session_id: short_id(session_id, unique[session_id]) for session_id in ids}
    assert shown[_UUID] == "8e42aa01-7c"
    assert shown[_NEIGHBOR] == "8e42aa01-7d"
    assert (shown["chat"], shown["chat-1"]) == ("chat", "chat-1")
    assert shown[ids[-1]] == "c0ffee00"
    for session_id, short in shown.items():
        matches = [other for other in ids if other.startswith(short)]
        assert matches == [session_id] or short == session_id


def test_text_is_cut_between_letters() -> None:
    assert cut_middle("abcdefghij", 5) == "abc…j"
    assert cut_middle("abcdefghij", 6, keep=4) == "abcd…j"
    assert cell_len(cut_middle("日本語" * 20, 20)) <= 20
    assert isolated("plain") == "plain"


def _lines(out: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", _ISOLATES.sub("", out))
    return [line.rstrip() for line in plain.splitlines()]


@pytest.mark.parametrize("width", [50, 60, 70, 80, 110, 120, 200])
def test_a_table_fits_every_terminal(
    run: Run,
    conversations: None,
    database: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    put_document(database, SessionRef("app-" + "a" * 60, "user-" + "u" * 60, "id-" + "x" * 90))
    lines = _lines(run("list", columns=width).out)
    assert len(lines) == 6
    assert max(map(cell_len, lines)) <= width
