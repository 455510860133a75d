"""`adksess stats`: totals per app, activity per day."""

import time

import pytest
import redis

from adksess.store import recency, statistics
from adksess.store.keys import SessionRef
from tests.cli.sessions import NOW, put_document, said, store_session
from tests.conftest import Run


@pytest.mark.usefixtures("three")
def test_stats(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "carl", "c1", texts=("a", "b"))
    result = run("stats", "-o", "json").json
    demo, other = result["apps"]
    assert (demo["app_name"], demo["sessions"], demo["users"], demo["events"]) == ("demo", 3, 2, 2)
    assert (other["sessions"], other["without_ttl"]) == (1, 1)
    assert demo["size_bytes"] > 0
    assert sum(day["sessions"] for day in result["days"]) == 4
    out = run("stats", columns=80).out
    assert "demo" in out
    assert max(map(len, out.splitlines())) <= 80
    run("flush", "--yes")
    assert run("stats", "-o", "json").json["apps"] == []
    assert run("stats").code == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("by", ["app", "user"])
def test_a_sample_of_all_sessions_is_no_estimate(
    run: Run, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    assert run("doctor", "--fix").code == 0
    monkeypatch.setattr(recency, "SMALL", 0)
    result = run("stats", "--by", by, "-o", "json").json
    assert (result["exact"], result["sampled"]) == (True, None)
    assert sum(one["sessions"] for one in result[f"{by}s"]) == 3
    assert "~" not in run("stats", "--by", by).out
    monkeypatch.setattr(statistics, "SMALLEST_SAMPLE", 1)
    monkeypatch.setattr(statistics, "SAMPLE", 1)
    result = run("stats", "-o", "json").json
    assert (result["exact"], result["sampled"]) == (False, 2)
    assert "random sample of 2 sessions" in run("stats").out


_TABLES = {
    80: [
        "APP     SESSIONS USERS EVENTS      SIZE    OLDEST    NEWEST NO TTL",
        "support        3     2      6    1.4 kB   2 h ago   2 h ago      0",
        "weather        1     1      0 308 bytes 1 day ago 1 day ago      1",
    ],
    120: [
        "APP      SESSIONS  USERS  EVENTS       SIZE     OLDEST     NEWEST  NO TTL",
        "support         3      2       6     1.4 kB    2 h ago    2 h ago       0",
        "weather         1      1       0  308 bytes  1 day ago  1 day ago       1",
    ],
}


@pytest.mark.parametrize("width", _TABLES)
def test_the_whole_output(
    run: Run, database: redis.Redis, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 7_200)
    for number in range(3):
        ref = SessionRef("support", f"user{number % 2}", f"s{number}")
        put_document(database, ref, said("user", "hi"), said("support", "hello"), updated=NOW)
    put_document(database, SessionRef("weather", "ada", "s1"), updated=NOW - 90_000, ttl=None)
    assert run("stats", columns=width).out.splitlines() == [
        *_TABLES[width],
        "",
        "Last activity by day (UTC), in sessions",
        "2026-11-17  " + "█" * 13 + "▎" + " " * 26 + "  1",
        "2026-11-18  " + "█" * 40 + "  3",
    ]
