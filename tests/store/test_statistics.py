"""Totals and activity: exact counts from the index, estimates that hold the true value."""

import pytest

from adksess.store import recency, statistics
from adksess.store.filters import SessionFilter
from adksess.store.statistics import AppStatistics, Estimate, Totals
from adksess.store.store import SessionStore
from tests.store.indexed import Spec, write

NOW = 1_800_000_000.0
DAY = 86_400


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)


async def exact(store: SessionStore, only: SessionFilter) -> Totals:
    totals = Totals()
    async for batch in store.scan():
        for session in batch:
            if only.match(session):
                totals.add(session)
    return totals


def holds(estimate: Estimate, true: int) -> bool:
    """Whether an estimate is within three of its errors: a 95 % interval fails too often."""
    return abs(estimate.value - true) <= 3 * estimate.error + 1


@pytest.mark.parametrize(
    "only",
    [
        SessionFilter(),
        SessionFilter(apps=("echo",)),
        SessionFilter(updated_from=NOW - 3 * DAY),
        SessionFilter(updated_until=NOW - 3 * DAY),
    ],
)
async def test_estimates(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch, only: SessionFilter
) -> None:
    monkeypatch.setattr(statistics, "SAMPLE", 100)
    monkeypatch.setattr(statistics, "SMALLEST_SAMPLE", 50)
    specs = [
        Spec(("echo", "support")[n % 2], f"u{n * n % 41}", f"s{n}", n * 2_000.0, n % 3, n % 5)
        for n in range(300)
    ]
    await write(store, [spec._replace(ttl=1_000 * spec.ttl) for spec in specs], now=NOW)
    plan = await store.plan(only)
    found = await store.statistics(plan, only)
    expected = await exact(store, only)
    for app, true in zip(found, expected.apps(), strict=True):
        assert (app.app_name, app.sessions) == (true.app_name, true.sessions)
        assert (app.oldest, app.newest) == (true.oldest, true.newest)
        for name in ("users", "events", "size_bytes", "without_ttl"):
            assert holds(getattr(app, name), getattr(true, name).value), name
        assert app.sampled is not None
    days = await store.activity_by_day(plan, only, days=14)
    assert days == expected.by_day(14)


async def test_a_sample_of_everything_is_exact(store: SessionStore) -> None:
    await write(store, [Spec("echo", f"u{n % 2}", f"s{n}", n, 0, n) for n in range(5)], now=NOW)
    (app,) = await store.statistics(await store.plan(SessionFilter()), SessionFilter())
    assert app == AppStatistics(
        "echo", 5, Estimate(2), Estimate(10), app.size_bytes, Estimate(5), NOW - 4, NOW
    )
    assert app.size_bytes.error == 0


async def test_days_without_sessions_are_skipped(store: SessionStore) -> None:
    ages = [0, 100 * DAY, 200 * DAY, 200 * DAY + 5]
    await write(store, [Spec("echo", "u", f"s{n}", age) for n, age in enumerate(ages)], now=NOW)
    plan = await store.plan(SessionFilter())
    days = await store.activity_by_day(plan, SessionFilter(), days=14)
    assert days == (await exact(store, SessionFilter())).by_day(14)
    assert [count for _, count in days] == [2, 1, 1]
    assert len(await store.activity_by_day(plan, SessionFilter(), days=2)) == 2


async def test_hours(store: SessionStore) -> None:
    now = await store.now()
    await write(store, [Spec("echo", "u", f"s{n}", n * 1_800.0) for n in range(10)], now=now)
    plan = await store.plan(SessionFilter())
    hours = await store.activity_by_hour(plan, SessionFilter(), hours=24)
    assert hours == (await exact(store, SessionFilter())).by_hour(24, plan.state.now)
    assert (len(hours), sum(count for _, count in hours)) == (24, 10)


async def test_the_biggest_users(store: SessionStore) -> None:
    await write(store, [Spec("echo", f"u{n % 7 % 3}", f"s{n}", n) for n in range(20)], now=NOW)
    only = SessionFilter()
    found = await store.biggest_users(await store.plan(only), only, limit=2)
    assert found == (await exact(store, only)).biggest_users(2)
    assert [(one.user.user_id, one.sessions) for one in found] == [("u0", 8), ("u1", 6)]
