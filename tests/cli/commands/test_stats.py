"""`adksess stats`: totals per app, activity per day."""

import pytest

from tests.cli.sessions import store_session
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
