"""Times in the first and the last year: shown, summed up and filtered, in any time zone."""

import time
from collections.abc import Iterator

import pytest
import redis

from adksess.store import recency
from adksess.store.keys import SessionRef
from tests.cli.sessions import put_document
from tests.conftest import Run

TIMES = {"late": 253_402_300_799.5, "early": -62_135_596_800.0, "before-1970": -1.0}


@pytest.fixture(autouse=True, params=["Pacific/Kiritimati", "America/Los_Angeles"])
def _zone(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(params=["small", "large"])
def filled(
    request: pytest.FixtureRequest, run: Run, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Run:
    for name, seconds in TIMES.items():
        put_document(database, SessionRef("demo", "ada", name), updated=seconds, ttl=None)
    # as a float, this microsecond is in the year 10000
    value = database.get("session:demo:ada:late")
    assert isinstance(value, bytes)
    assert b"59.500000" in value
    database.set("session:demo:ada:late", value.replace(b"59.500000", b"59.999999"))
    assert run("doctor", "--fix").code == 0
    if request.param == "large":
        monkeypatch.setattr(recency, "SMALL", 0)
    return run


def test_lists_and_statistics(filled: Run) -> None:
    newest_first = ["late", "before-1970", "early"]
    assert filled("list", "-o", "ids").out.split() == newest_first
    assert filled("list", "-o", "ids", "--reverse").out.split() == newest_first[::-1]
    shown = filled("list", "--columns", "id,updated,age", columns=100)
    assert (shown.code, "9999-12-31" in shown.out) == (0, True)
    found = filled("stats", "-o", "json").json
    days = [day["day"] for day in found["days"]]
    assert days == ["0001-01-01", "1969-12-31", "9999-12-31"]
    assert found["apps"][0]["oldest"].startswith("0001-01-01T00:00:00")
    assert found["apps"][0]["newest"].startswith("9999-12-31T23:59:59")
    for options in ((), ("--exact",), ("--by", "user"), ("--hours",)):
        result = filled("stats", *options)
        assert (result.code, result.err) == (0, "")
    assert "0001-01-01" in filled("stats").out
    for name in TIMES:
        assert filled("show", name).code == 0


def test_the_next_page_can_be_named(filled: Run) -> None:
    for options in ((), ("--reverse",)):
        found, more = [], ()
        while len(found) < 3:
            result = filled("list", "-o", "ids", "-n", 1, *options, *more, columns=200)
            found += result.out.split()
            if "--before" not in result.err:
                break
            more = ("--before", result.err.partition("--before ")[2].split()[0])
        assert sorted(found) == sorted(TIMES)


@pytest.mark.parametrize("date", ["9999-12-31", "0002-01-01", "9999-12-31T23:59:59.9+00:00"])
def test_filters_by_any_date(filled: Run, date: str) -> None:
    for option in ("--since", "--until"):
        for command in (("list",), ("stats",), ("delete", "--dry-run")):
            result = filled(*command, option, date)
            assert result.code == 0 or "out of range" in result.err
            assert "Traceback" not in result.err


@pytest.mark.parametrize("date", ["0001-01-01", "0001-01-01T00:00:00+14:00"])
def test_a_date_that_has_no_local_time(run: Run, date: str) -> None:
    result = run("list", "--since", date)
    assert result.code == 2
    assert "use a date from 0002-01-01 to 9998-12-31" in result.err.replace("\n", " ")
