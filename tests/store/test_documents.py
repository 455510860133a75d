"""Whole documents and states, in and out: what backups, migrations and trims use."""

from dataclasses import replace

import pytest
import redis

from adksess.store.document import decode
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import PutResult, StoredState, StoredValue
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.conftest import REF
from tests.store.filling import fill

OTHER = SessionRef("demo", "bob", "s2")


async def value_of(store: SessionStore, ref: SessionRef = REF) -> StoredValue:
    (found,) = await store.values([ref])
    return found


def index_entries(client: redis.Redis, store: SessionStore, ref: SessionRef) -> tuple[bool, bool]:
    """Whether the session is in its user's index, and in its app's."""
    return (
        client.zscore(store.keys.user_sessions(*ref.user), ref.session_id) is not None,
        client.zscore(store.keys.app_sessions(ref.app_name), store.keys.app_member(ref))
        is not None,
    )


class TestValues:
    async def test_documents_as_stored_with_their_expiry(
        self, store: SessionStore, client: redis.Redis
    ) -> None:
        await fill(store, REF, 2)
        await store.create(OTHER, ttl=600)
        client.persist(store.keys.session(REF))
        missing = SessionRef("demo", "ada", "missing")
        forever, expiring = await store.values([REF, missing, OTHER])
        assert forever == StoredValue(REF, client.get(store.keys.session(REF)) or b"", None)
        assert expiring.ref == OTHER
        assert expiring.ttl_ms is not None
        assert 0 < expiring.ttl_ms <= 600_000
        assert await store.values([]) == []


class TestPut:
    async def test_a_new_document_is_stored_and_indexed(
        self, store: SessionStore, client: redis.Redis
    ) -> None:
        await fill(store, REF, 3, a=1)
        saved = replace(await value_of(store), ttl_ms=600_000)
        await store.delete([REF])
        assert await store.put([saved]) == [PutResult.STORED]
        assert client.get(store.keys.session(REF)) == saved.value
        assert 0 < client.pttl(store.keys.session(REF)) <= 600_000
        assert index_entries(client, store, REF) == (True, True)
        assert await store.put([]) == []

    async def test_an_equal_document_is_unchanged_and_a_different_one_kept(
        self, store: SessionStore, client: redis.Redis
    ) -> None:
        await fill(store, REF, 3)
        saved = await value_of(store)
        await fill(store, OTHER, 1)
        assert await store.put([saved, await value_of(store, OTHER)]) == [PutResult.SAME] * 2
        await store.append(REF, {"id": "later", "timestamp": 9.0}, timestamp=9.0)
        now = await value_of(store)
        assert await store.put([saved]) == [PutResult.EXISTS]
        assert (await value_of(store)).value == now.value
        assert await store.put([saved], replace=True) == [PutResult.REPLACED]
        assert (await value_of(store)).value == saved.value

    async def test_a_key_of_another_type_is_kept(
        self, store: SessionStore, client: redis.Redis
    ) -> None:
        await fill(store, REF, 1)
        saved = await value_of(store)
        key = store.keys.session(REF)
        client.delete(key)
        client.rpush(key, "x")
        for overwrite in (False, True):
            assert await store.put([saved], replace=overwrite) == [PutResult.WRONG_TYPE]
            assert client.lrange(key, 0, -1) == [b"x"]

    async def test_a_value_that_is_not_a_document_is_rejected(self, store: SessionStore) -> None:
        with pytest.raises(SessionUnreadable, match="'s1' of user 'ada'"):
            await store.put([StoredValue(REF, b"no session", None)])
        assert await store.value(REF) is None


class TestReplaceIfUnchanged:
    async def test_an_unchanged_document_is_replaced_and_keeps_its_expiry(
        self, store: SessionStore, client: redis.Redis
    ) -> None:
        await fill(store, REF, 5)
        client.expire(store.keys.session(REF), 600)
        before = await value_of(store)
        document = decode(before.value, REF)
        shorter = replace(
            document, events=document.events[3:], tail=document.tail._replace(event_count=2)
        )
        assert await store.replace_if_unchanged(before, shorter)
        assert 0 < client.ttl(store.keys.session(REF)) <= 600
        found = await store.read(REF)
        assert found is not None
        assert list(found.document.events) == list(document.events[3:])
        assert index_entries(client, store, REF) == (True, True)

    async def test_a_changed_document_is_kept(self, store: SessionStore) -> None:
        await fill(store, REF, 5)
        before = await value_of(store)
        await store.append(REF, {"id": "new", "timestamp": 9.0}, timestamp=9.0)
        now = await store.value(REF)
        assert not await store.replace_if_unchanged(before, decode(before.value, REF))
        assert await store.value(REF) == now

    async def test_a_deleted_document_stays_deleted(self, store: SessionStore) -> None:
        await fill(store, REF, 1)
        before = await value_of(store)
        await store.delete([REF])
        assert not await store.replace_if_unchanged(before, decode(before.value, REF))
        assert await store.value(REF) is None


class TestStates:
    @pytest.fixture(autouse=True)
    async def _states(self, store: SessionStore) -> None:
        for app in ("one", "two*"):
            for user in ("ada", "bob"):
                state = StateDelta(app={"name": app}, user={"who": [app, user]})
                await store.create(SessionRef(app, user, "s"), state)

    async def found(self, store: SessionStore, *only: str | None) -> set[tuple[str, str | None]]:
        batches = [batch async for batch in store.all_states(*only)]
        return {(one.app_name, one.user_id) for batch in batches for one in batch}

    async def test_all_of_them_or_some(self, store: SessionStore) -> None:
        one = {("one", None), ("one", "ada"), ("one", "bob")}
        two = {("two*", None), ("two*", "ada"), ("two*", "bob")}
        assert await self.found(store) == one | two
        assert await self.found(store, "two*") == two
        assert await self.found(store, "one", "ada") == {("one", "ada")}
        assert await self.found(store, None, "bob") == {("one", "bob"), ("two*", "bob")}

    async def test_states_by_name(self, store: SessionStore, client: redis.Redis) -> None:
        client.set(store.keys.user_state("one", "eve"), "no hash")
        names = [("one", None), ("one", "eve"), ("one", "missing"), ("two*", "bob")]
        assert await store.state_of(names) == [
            StoredState("one", None, {"name": "one"}),
            StoredState("two*", "bob", {"who": ["two*", "bob"]}),
        ]

    async def test_fields_are_added_and_different_ones_kept(self, store: SessionStore) -> None:
        item = StoredState("one", "ada", {"who": ["one", "ada"], "new": 1})
        assert await store.put_state(item) == {"who": PutResult.SAME, "new": PutResult.STORED}
        changed = StoredState("one", "ada", {"who": "other"})
        assert await store.put_state(changed) == {"who": PutResult.EXISTS}
        assert await store.shared_state("one", "ada") == (
            {"name": "one"},
            {"who": ["one", "ada"], "new": 1},
        )
        assert await store.put_state(changed, replace=True) == {"who": PutResult.REPLACED}
        _, user = await store.shared_state("one", "ada")
        assert user == {"who": "other", "new": 1}
        assert await store.put_state(StoredState("one", None, {})) == {}
