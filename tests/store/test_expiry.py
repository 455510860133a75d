"""When sessions expire, and the entries of the user's index."""

import time
import uuid
from collections.abc import AsyncIterator

import pytest
import redis

from adksess.store.errors import SessionExists
from adksess.store.keys import SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.conftest import REF

TTL = 1_000


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[SessionStore]:
    async with SessionStore(valkey_url, ttl=TTL, prefix=f"t{uuid.uuid4().hex}:") as store:
        yield store


class Clocks:
    """A session's expiry and what its index says of it, in seconds from now."""

    def __init__(self, client: redis.Redis, store: SessionStore, ref: SessionRef = REF) -> None:
        self.client, self.ref = client, ref
        self.key = store.keys.session(ref)
        self.index = store.keys.user_sessions(*ref[:2])

    def __call__(self) -> tuple[float, float, float]:
        score = self.client.zscore(self.index, self.ref.session_id)
        left = -1 if score == float("inf") else float(score or 0) - time.time()
        return self.client.ttl(self.key), left, self.client.ttl(self.index)

    def agree(self, seconds: float) -> bool:
        return all(seconds - 5 < value < seconds + 5 for value in self())


async def test_a_session_expires_and_its_index_with_it(
    client: redis.Redis, store: SessionStore
) -> None:
    await store.create(REF)
    clocks = Clocks(client, store)
    assert clocks.agree(TTL)
    await store.create(SessionRef("demo", "ada", "s2"), ttl=50)
    assert clocks.agree(TTL)
    await store.create(SessionRef("demo", "ada", "s3"), ttl=5_000)
    assert clocks()[2] > 4_900
    assert Clocks(client, store, SessionRef("demo", "ada", "s2")).agree(50) is False
    assert client.ttl(store.keys.session(SessionRef("demo", "ada", "s2"))) <= 50


async def test_an_append_extends_it(client: redis.Redis, store: SessionStore) -> None:
    await store.create(REF)
    client.expire(store.keys.session(REF), 10)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert Clocks(client, store).agree(TTL)


async def test_an_append_never_shortens_it(client: redis.Redis, store: SessionStore) -> None:
    await store.create(REF)
    assert await store.set_expiry(REF, 9_000)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert Clocks(client, store).agree(9_000)


async def test_an_append_never_ends_a_session_that_was_made_persistent(
    client: redis.Redis, store: SessionStore
) -> None:
    await store.create(REF)
    assert await store.set_expiry(REF, 0)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert Clocks(client, store)() == (-1, -1, -1)
    assert await store.set_expiry(REF, 70)
    assert Clocks(client, store).agree(70)


@pytest.mark.parametrize("own", [0, 60, 100_000])
async def test_a_ttl_of_its_own_lasts(client: redis.Redis, store: SessionStore, own: int) -> None:
    await store.create(REF, ttl=own)
    clocks = Clocks(client, store)
    assert clocks() == (-1, -1, -1) if own == 0 else clocks.agree(own)
    if own:
        client.expire(store.keys.session(REF), 5)
    await store.append(REF, {"n": 1}, timestamp=1.0)
    assert clocks() == (-1, -1, -1) if own == 0 else clocks.agree(own)


async def test_a_store_without_expiry(client: redis.Redis, valkey_url: str) -> None:
    async with SessionStore(valkey_url, ttl=0, prefix=f"t{uuid.uuid4().hex}:") as store:
        await store.create(REF, StateDelta(user={"a": 1}))
        await store.append(REF, {"n": 1}, timestamp=1.0)
        assert Clocks(client, store)() == (-1, -1, -1)


async def test_the_expiry_of_a_missing_session(store: SessionStore) -> None:
    assert await store.set_expiry(REF, 60) is False


async def test_expired_and_deleted_sessions_are_removed_from_list_and_index(
    client: redis.Redis, store: SessionStore
) -> None:
    refs = [SessionRef("demo", "ada", f"s{n}") for n in range(4)]
    for ref in refs:
        await store.create(ref)
    client.delete(store.keys.session(refs[1]))
    client.pexpire(store.keys.session(refs[2]), 1)
    while client.exists(store.keys.session(refs[2])):
        pass
    found = await store.user_summaries("demo", "ada")
    assert {one.ref for one in found} == {refs[0], refs[3]}
    index = store.keys.user_sessions("demo", "ada")
    assert set(client.zrange(index, 0, -1)) == {b"s0", b"s3"}
    assert await store.delete(refs) == 2
    assert await store.delete(refs) == 0
    assert await store.delete([]) == 0
    assert client.exists(index) == 0


async def test_each_create_removes_expired_index_entries(
    client: redis.Redis, store: SessionStore
) -> None:
    index = store.keys.user_sessions("demo", "ada")
    client.zadd(index, {"old": time.time() - 60, "soon": time.time() + 60, "never": "inf"})
    await store.create(REF)
    assert set(client.zrange(index, 0, -1)) == {b"soon", b"never", b"s1"}


async def test_a_rejected_create_changes_nothing(client: redis.Redis, store: SessionStore) -> None:
    await store.create(REF, ttl=60)
    before = {key: client.dump(key) for key in client.scan_iter(f"{store.settings.prefix}*")}
    with pytest.raises(SessionExists):
        await store.create(REF, StateDelta(app={"a": 1}, user={"a": 1}), ttl=9_000)
    after = {key: client.dump(key) for key in client.scan_iter(f"{store.settings.prefix}*")}
    assert after == before
