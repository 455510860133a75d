"""An audit of documents and indexes: what it finds, and what `fix` repairs."""

from typing import Any

import pytest
import redis

from adksess.store import recency
from adksess.store.audit import SAMPLE, Audit, Findings
from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore
from tests.store.indexed import Spec, write

KEPT = SessionRef("demo", "ada", "kept")
UNKNOWN = SessionRef("demo", "ada", "unknown")
DELETED = SessionRef("demo", "bob", "deleted")
TEXT = SessionRef("demo", "bob", "text")


@pytest.fixture
async def damaged(store: SessionStore, client: redis.Redis) -> dict[bytes, bytes]:
    """One fault of each kind. Returns every key with its value."""
    for ref in (KEPT, UNKNOWN, DELETED):
        await store.create(ref)
    for ref in (UNKNOWN, DELETED):
        key, user = store.keys.session(ref), store.keys.user_sessions(*ref.user)
        if ref is DELETED:
            client.delete(key)
        else:
            client.zrem(user, ref.session_id)
            client.zrem(store.keys.app_sessions(ref.app_name), store.keys.app_member(ref))
    client.set(store.keys.session(TEXT), "no session")
    client.set(store.keys.user_state("demo", "eve"), "no hash")
    return dump(client, store)


def dump(client: redis.Redis, store: SessionStore) -> dict[bytes, bytes]:
    names = client.keys(f"{store.settings.prefix}*")
    return {name: client.dump(name) or b"" for name in names}


def faults(found: Audit) -> dict[str, list[str]]:
    kinds = ("unreadable", "unindexed", "stale", "wrong_type")
    return {kind: sorted(set(getattr(found, kind).examples)) for kind in kinds}


async def test_nothing_to_find(store: SessionStore) -> None:
    empty = await store.audit()
    assert (empty.sessions, empty.sample) == (0, None)
    await store.create(KEPT, ttl=0)
    await store.create(UNKNOWN, ttl=600)
    found = await store.audit()
    assert (found.sessions, found.without_ttl, found.foreign) == (2, 1, 0)
    values = [await store.value(KEPT), await store.value(UNKNOWN)]
    assert found.size_bytes == sum(len(value or b"") for value in values)
    assert not any(faults(found).values())


@pytest.mark.usefixtures("damaged")
async def test_each_fault_is_found_and_nothing_is_changed(
    store: SessionStore, client: redis.Redis, damaged: dict[bytes, bytes]
) -> None:
    found = await store.audit()
    assert found.sessions == 2
    assert faults(found) == {
        "unreadable": [TEXT.path],
        "unindexed": [UNKNOWN.path],
        "stale": [DELETED.path],
        "wrong_type": [store.keys.user_state("demo", "eve").decode()],
    }
    assert dump(client, store) == damaged


@pytest.mark.usefixtures("damaged")
async def test_fix_repairs_the_indexes_and_no_other_key(
    store: SessionStore, client: redis.Redis
) -> None:
    fixed = await store.audit(fix=True)
    assert faults(fixed)["unindexed"] == [UNKNOWN.path]
    after = await store.audit()
    assert faults(after)["unindexed"] == faults(after)["stale"] == []
    assert after.state.is_complete
    listed = await store.user_summaries("demo", "ada")
    assert {one.ref for one in listed} == {KEPT, UNKNOWN}
    assert client.get(store.keys.session(TEXT)) == b"no session"
    assert client.get(store.keys.user_state("demo", "eve")) == b"no hash"


async def test_missing_sessions_are_indexed_batch_by_batch(
    store: SessionStore, damaged: dict[bytes, bytes]
) -> None:
    assert sum([count async for count in store.index_missing()]) == 1
    assert faults(await store.audit())["unindexed"] == []
    assert (await store.index_state()).is_complete
    assert sum([count async for count in store.index_missing()]) == 0


async def test_a_sample_of_a_large_database_estimates_the_rest(
    store: SessionStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.flushdb()  # a sample takes random keys of the database, not of the prefix
    monkeypatch.setattr(recency, "SMALL", 0)
    await write(store, [Spec("demo", f"u{n % 50}", f"s{n}", age=n, events=2) for n in range(3_000)])
    exact = await store.audit()
    assert (exact.sessions, exact.sample) == (3_000, None)
    found = await store.audit(full=False)
    assert found.sample is not None
    assert 0 < found.sample <= SAMPLE
    assert found.sessions == 3_000
    assert found.size_bytes == pytest.approx(exact.size_bytes, rel=0.05)
    assert not any(faults(found).values())


def test_findings_count_all_and_keep_the_first_few() -> None:
    findings = Findings()
    assert not findings
    findings.add(f"n{number}" for number in range(25))
    assert findings
    assert findings.count == 25
    assert findings.examples == [f"n{number}" for number in range(10)]


async def test_an_index_of_another_type_costs_no_round_trip_per_session(
    store: SessionStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(store, [Spec("demo", "ada", f"s{number}", number) for number in range(60)])
    client.set(store.keys.app_sessions("demo"), "of another program")
    call, count = store._client.call, 0

    async def counted(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return await call(*args, **options)

    monkeypatch.setattr(store._client, "call", counted)
    found = await store.audit()
    assert (found.sessions, found.unindexed.count) == (60, 0)
    assert count < 60
