"""Which index entries writes add and remove, and how the indexes stay small."""

import time
from typing import Any

import pytest
import redis

from adksess.store import indexes as index_operations
from adksess.store import write
from adksess.store.document import Document, Tail, encode, iso_time
from adksess.store.keys import COMPLETE, LACKS_USER_ENTRIES, SessionRef
from adksess.store.models import StoredValue
from adksess.store.store import SessionStore
from tests.aging import age
from tests.store.conftest import REF

OTHER = SessionRef("demo", "b:o%b", "s:2")
FOREIGN = b'{"events":[],"state":{},"updated_at":"2026-01-02T03:04:05Z"}'
FOREIGN_SECOND = 1_767_323_045
DAY = 86_400


@pytest.fixture(params=["valkey_url", "redis_url", "redis8_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


class Indexes:
    """What the indexes hold, read as another program would."""

    def __init__(self, client: Any, store: SessionStore) -> None:
        self.client, self.keys = client, store.keys

    @property
    def apps(self) -> set[bytes]:
        return set(self.client.smembers(self.keys.session_apps())) - {COMPLETE, LACKS_USER_ENTRIES}

    def recency(self, app_name: str = "demo") -> dict[SessionRef | None, float]:
        entries = self.client.zrange(self.keys.app_sessions(app_name), 0, -1, withscores=True)
        return {self.keys.parse_app_member(app_name, name): score for name, score in entries}

    def user(self, ref: SessionRef = REF) -> float | None:
        score = self.client.zscore(self.keys.user_sessions(*ref.user), ref.session_id)
        return None if score is None else float(score)

    @property
    def now(self) -> float:
        seconds, micros = self.client.time()
        return float(seconds + micros / 1_000_000)


@pytest.fixture
def indexes(client: redis.Redis, store: SessionStore) -> Indexes:
    return Indexes(client, store)


async def test_a_create_and_a_delete(store: SessionStore, indexes: Indexes) -> None:
    before = int(indexes.now)
    for ref in (REF, OTHER):
        await store.create(ref)
    assert indexes.apps == {b"demo"}
    assert indexes.recency().keys() == {REF, OTHER}
    assert all(before <= score <= indexes.now for score in indexes.recency().values())
    await store.delete([OTHER])
    assert indexes.recency().keys() == {REF}
    assert indexes.user(OTHER) is None
    await store.delete([REF])
    assert (indexes.recency(), indexes.apps) == ({}, set())


async def test_an_append_raises_the_score(store: SessionStore, indexes: Indexes) -> None:
    await store.create(REF)
    await age(store, REF, time.time() - DAY)
    assert indexes.recency()[REF] < indexes.now - DAY + 10
    before = int(indexes.now)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert before <= indexes.recency()[REF] <= indexes.now
    (summary,) = await store.summaries([REF])
    assert int(summary.updated) == indexes.recency()[REF]


async def test_an_append_of_a_session_of_an_older_version(
    client: Any, store: SessionStore, indexes: Indexes
) -> None:
    tail = Tail({}, iso_time(5), iso_time(5), 5.0, 0)
    client.set(store.keys.session(REF), encode(Document(REF, tail)), ex=DAY)
    await store.append(REF, {"n": 1}, timestamp=9.0)
    assert indexes.recency().keys() == {REF}
    assert indexes.apps == {b"demo"}
    assert indexes.user() == pytest.approx(indexes.now + DAY, abs=20)


async def test_a_put_and_a_replacement(store: SessionStore, indexes: Indexes) -> None:
    tail = Tail({}, iso_time(1_000), iso_time(2_000.9), 5.0, 0)
    item = StoredValue(REF, encode(Document(REF, tail)), 60_000)
    await store.put([item])
    assert indexes.recency() == {REF: 2_000}
    assert indexes.user() == pytest.approx(indexes.now + 60, abs=10)
    later = Document(REF, tail._replace(updated_at=iso_time(3_000)))
    assert await store.replace_if_unchanged(item, later)
    assert indexes.recency() == {REF: 3_000}
    assert indexes.user() == pytest.approx(indexes.now + 60, abs=10)
    assert not await store.replace_if_unchanged(item, later)


async def test_a_put_of_the_same_document_indexes_it(
    client: Any, store: SessionStore, indexes: Indexes
) -> None:
    value = encode(Document(REF, Tail({}, iso_time(1_000), iso_time(2_000), 5.0, 0)))
    client.set(store.keys.session(REF), value, ex=60)
    await store.put([StoredValue(REF, value, None)])
    assert indexes.recency() == {REF: 2_000}
    assert indexes.user() == pytest.approx(indexes.now + 60, abs=10)
    assert client.ttl(store.keys.session(REF)) > 0


async def test_a_foreign_document_is_indexed_with_its_own_time(
    client: Any, store: SessionStore, indexes: Indexes
) -> None:
    client.set(store.keys.session(REF), FOREIGN)
    await store.index_sessions(await store.summaries([REF]))
    assert indexes.recency() == {REF: FOREIGN_SECOND}
    assert indexes.user() == float("inf")
    (stored,) = await store.values([REF])
    shorter = Document(REF, Tail({}, iso_time(1), iso_time(FOREIGN_SECOND), 1.0, 0))
    assert await store.replace_if_unchanged(stored, shorter)
    assert indexes.recency() == {REF: FOREIGN_SECOND}


@pytest.mark.parametrize("second", [-62_135_596_800, -1, 0, 253_402_300_799])
async def test_a_repair_keeps_a_time_of_any_year(
    client: Any, store: SessionStore, indexes: Indexes, second: int
) -> None:
    tail = Tail({}, iso_time(second), iso_time(second), 1.0, 0)
    client.set(store.keys.session(REF), encode(Document(REF, tail)))
    await store.index_sessions(await store.summaries([REF]))
    assert indexes.recency() == {REF: second}


async def test_a_repair_keeps_a_newer_score(store: SessionStore, indexes: Indexes) -> None:
    await store.create(REF)
    await age(store, REF, 1_000.0)
    old = await store.summaries([REF])
    await store.append(REF, {"n": 1}, timestamp=1.0)
    newer = indexes.recency()[REF]
    await store.index_sessions(old)
    assert indexes.recency()[REF] == newer > 1_000


async def test_stale_entries_stay_few_without_listings(
    client: Any, store: SessionStore, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload of short sessions: deleted by hand here, which has the effect of an expiry."""
    monkeypatch.setattr(write, "sample_size", lambda: 8)
    key = store.keys.session
    for user in range(200):
        ref = SessionRef("demo", f"user{user}", "s")
        await store.create(ref)
        client.delete(key(ref))
    assert client.zcard(store.keys.app_sessions("demo")) < 40


async def test_a_burst_of_expired_sessions_is_removed_by_a_few_creates(
    client: Any, store: SessionStore, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of an app in which nothing is created any more."""
    for app in ("demo", "abandoned"):
        entries = {f"user{n}:s": 1_000.0 for n in range(5_000)}
        client.zadd(store.keys.app_sessions(app), entries)
        client.sadd(store.keys.session_apps(), app)
    monkeypatch.setattr(write, "sample_size", lambda: 32)
    monkeypatch.setattr(index_operations, "checks_other_apps", lambda: True)
    for number in range(5):
        await store.create(REF._replace(session_id=f"s{number}"))
    assert indexes.recency("abandoned") == {}
    assert len(indexes.recency()) < 40
    assert indexes.apps == {b"demo"}


async def test_many_apps_that_are_used_once_are_removed(
    client: Any, store: SessionStore, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "sample_size", lambda: 32)
    monkeypatch.setattr(index_operations, "checks_other_apps", lambda: True)
    for number in range(100):
        ref = SessionRef(f"app{number}", "ada", "s")
        await store.create(ref)
        client.delete(store.keys.session(ref))
    assert len(indexes.apps) < 20


async def test_the_sample_is_large_and_frequent_enough() -> None:
    sizes = [write.sample_size() for _ in range(20_000)]
    assert 2 < sum(sizes) / len(sizes) < 6, "entries checked for each that is added"


async def test_pruning_keeps_sessions_that_exist(
    client: Any, store: SessionStore, indexes: Indexes
) -> None:
    for ref in (REF, OTHER):
        await store.create(ref)
    client.delete(store.keys.session(OTHER))
    await store.prune_app_sessions({"demo": [b"ada:s1", store.keys.app_member(OTHER)]})
    assert indexes.recency().keys() == {REF}
    client.delete(store.keys.session(REF))
    await store.prune_app_sessions({"demo": [b"ada:s1"]})
    assert (indexes.recency(), indexes.apps) == ({}, set())


@pytest.mark.parametrize("by_hand", ["PERSIST", "EXPIRE"])
async def test_an_append_repairs_the_index_after_an_expiry_by_hand(
    client: Any, store: SessionStore, indexes: Indexes, by_hand: str
) -> None:
    await store.create(REF, ttl=60)
    key, index = store.keys.session(REF), store.keys.user_sessions(*REF.user)
    if by_hand == "PERSIST":
        client.persist(key)
    else:
        client.expire(key, 9_000)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    if by_hand == "PERSIST":
        assert (indexes.user(), client.ttl(index)) == (float("inf"), -1)
    else:
        assert indexes.user() == pytest.approx(indexes.now + 9_000, abs=10)
        assert client.ttl(index) > 8_900
    client.delete(index)
    await store.append(REF, {"n": 2}, timestamp=2.0)
    assert indexes.user() is not None


async def test_a_create_keeps_an_expired_entry_whose_session_exists(
    client: Any, store: SessionStore, indexes: Indexes
) -> None:
    await store.create(REF)
    client.persist(store.keys.session(REF))
    index = store.keys.user_sessions(*REF.user)
    client.zadd(index, {REF.session_id: indexes.now - 60, "gone": indexes.now - 60})
    await store.create(REF._replace(session_id="s2"))
    assert indexes.user() == float("inf")
    assert set(client.zrange(index, 0, -1)) == {b"s1", b"s2"}


async def test_many_expiries_at_once(client: Any, store: SessionStore, indexes: Indexes) -> None:
    refs = [REF._replace(session_id=f"s{n}") for n in range(5)]
    for ref in refs[:4]:
        await store.create(ref)
    assert await store.set_expiries(refs, 500) == [True, True, True, True, False]
    for ref in refs[:4]:
        assert 490 < client.ttl(store.keys.session(ref)) <= 500
        assert indexes.user(ref) == pytest.approx(indexes.now + 500, abs=10)
    assert await store.set_expiries([], 500) == []


async def test_a_purge_and_a_delete_of_many(client: Any, store: SessionStore) -> None:
    refs = [SessionRef(f"app{n % 3}", f"u{n % 7}", f"s{n}") for n in range(50)]
    for ref in refs:
        await store.create(ref)
    assert await store.delete(refs[:20]) == 20
    async for _ in store.purge():
        pass
    assert not list(client.scan_iter(f"{store.settings.prefix}*"))
