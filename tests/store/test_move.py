"""SessionStore.move: a session changes its user in one step, and nothing else changes."""

import asyncio
import json

import pytest
import redis

from adksess.store.document import decode
from adksess.store.errors import SessionNotFound, SessionUnreadable
from adksess.store.models import MoveResult
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.conftest import REF

TARGET = REF._replace(user_id="b:o%b")


def _event(number: int) -> dict[str, object]:
    return {"id": f"e{number}", "author": "user", "timestamp": float(number)}


async def test_all_but_the_user_is_kept(store: SessionStore) -> None:
    await store.create(REF, StateDelta({"k": [1, {}]}), ttl=500)
    for number in range(3):
        await store.append(REF, _event(number), timestamp=float(number))
    (before,) = await store.values([REF])
    assert await store.move(REF, TARGET.user_id) is MoveResult.MOVED
    assert await store.values([REF]) == []
    (after,) = await store.values([TARGET])
    one, other = decode(before.value, REF), decode(after.value, TARGET)
    assert (one.tail, one.events) == (other.tail, other.events)
    assert json.loads(after.value)["user_id"] == TARGET.user_id
    assert after.ttl_ms is not None
    assert before.ttl_ms is not None
    assert before.ttl_ms - 10_000 < after.ttl_ms <= before.ttl_ms
    assert [s.ref for s in await store.user_summaries(*TARGET.user)] == [TARGET]
    assert await store.user_summaries(*REF.user) == []
    assert await store.not_indexed([TARGET]) == []
    await store.append(TARGET, _event(3), timestamp=3.0)
    with pytest.raises(SessionNotFound):
        await store.append(REF, _event(4), timestamp=4.0)


async def test_a_session_of_that_name_is_kept(store: SessionStore) -> None:
    await store.create(REF)
    await store.create(TARGET, StateDelta({"mine": 1}))
    before = await store.values([REF, TARGET])
    assert await store.move(REF, TARGET.user_id) is MoveResult.EXISTS
    assert [value.value for value in await store.values([REF, TARGET])] == [
        value.value for value in before
    ]
    assert await store.move(REF._replace(session_id="no"), "bob") is MoveResult.MISSING
    assert await store.move(REF, REF.user_id) is MoveResult.EXISTS


async def test_a_document_of_another_tool_is_converted(store: SessionStore) -> None:
    with redis.Redis.from_url(store.settings.url) as client:
        foreign = {"id": "s1", "userId": "ada", "state": {"a": 1}, "events": [_event(1)]}
        client.set(store.keys.session(REF), json.dumps(foreign), ex=900)
        assert await store.move(REF, "bob") is MoveResult.MOVED
        moved = REF._replace(user_id="bob")
        value = json.loads(client.get(store.keys.session(moved)) or b"")
        assert (value["user_id"], value["state"], len(value["events"])) == ("bob", {"a": 1}, 1)
        assert client.exists(store.keys.session(REF)) == 0
        client.set(store.keys.session(REF), "not a session")
        with pytest.raises(SessionUnreadable):
            await store.move(REF, "eve")
        client.delete(store.keys.session(REF))
        client.rpush(store.keys.session(REF), "a list")
        with pytest.raises(SessionUnreadable):
            await store.move(REF, "eve")
        assert client.lrange(store.keys.session(REF), 0, -1) == [b"a list"]


async def test_an_index_of_another_type_changes_nothing(store: SessionStore) -> None:
    await store.create(REF)
    with redis.Redis.from_url(store.settings.url) as client:
        client.set(store.keys.user_sessions("demo", "bob"), "not an index")
        before = client.dump(store.keys.session(REF))
        with pytest.raises(SessionUnreadable):
            await store.move(REF, "bob")
        assert client.dump(store.keys.session(REF)) == before
        assert client.exists(store.keys.session(REF._replace(user_id="bob"))) == 0


async def test_writers_and_movers_at_the_same_time(store: SessionStore) -> None:
    """No acknowledged event is lost, and of many movers one moves it."""
    await store.create(REF)
    acknowledged: list[str] = []

    async def write(writer: int) -> None:
        for number in range(60):
            name = f"w{writer}-{number}"
            event = {"id": name, "timestamp": float(number)}
            for user in ("ada", "bob"):
                try:
                    await store.append(REF._replace(user_id=user), event, timestamp=float(number))
                    acknowledged.append(name)
                    break
                except SessionNotFound:
                    continue

    async def move() -> list[MoveResult]:
        await asyncio.sleep(0)
        return [await store.move(REF, "bob") for _ in range(5)]

    *_, first, second = await asyncio.gather(*(write(n) for n in range(4)), move(), move())
    results = [*first, *second] if first and second else []
    assert results.count(MoveResult.MOVED) == 1
    (stored,) = await store.values([REF._replace(user_id="bob")])
    ids = [event["id"] for event in json.loads(stored.value)["events"]]
    assert sorted(ids) == sorted(acknowledged)
    assert len(ids) >= 120
