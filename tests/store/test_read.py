"""Read one session: whole, only its newest events, and the state it shares."""

import json

import pytest
import redis

from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.conftest import REF
from tests.store.filling import fill


async def ids(store: SessionStore, **part: float | None) -> list[str]:
    found = await store.read(REF, **part)  # type: ignore[arg-type]
    assert found is not None
    assert found.document.tail.event_count == 40, "counts all events, whatever was asked for"
    return [json.loads(line)["id"] for line in found.document.events]


# 40 events of 4 kB: more than the first read of the end, less than the third
@pytest.mark.parametrize("size", [0, 4_000])
async def test_a_part_is_the_end_of_the_whole(store: SessionStore, size: int) -> None:
    await fill(store, REF, 40, size=size)
    every = await ids(store)
    assert every == [f"e{number}" for number in range(40)]
    for last in (0, 1, 7, 39, 40, 1_000):
        assert await ids(store, last=last) == every[len(every) - min(last, 40) :]
    for since in (-1.0, 0.0, 0.5, 1.0, 38.5, 39.0, 39.5):
        expected = [name for name in every if float(name[1:]) >= since]
        assert await ids(store, since=since) == expected
        assert await ids(store, since=since, last=3) == expected[-3:]


async def test_a_part_is_read_from_the_end(store: SessionStore, valkey_url: str) -> None:
    """The server sends some of the document, not the whole."""
    await fill(store, REF, 40, size=50_000)
    with redis.Redis.from_url(valkey_url) as client:

        def sent() -> int:
            return int(client.info("stats")["total_net_output_bytes"])

        before = sent()
        assert await ids(store, last=1) == ["e39"]
        assert sent() - before < 500_000
        assert client.strlen(store.keys.session(REF)) > 2_000_000


async def test_a_missing_session_is_none(store: SessionStore) -> None:
    assert await store.read(REF) is None
    assert await store.read(REF, last=3) is None
    assert await store.read(REF, since=0) is None
    assert await store.value(REF) is None


async def test_shared_state_comes_with_a_session(store: SessionStore) -> None:
    await store.create(REF, StateDelta({"a": 1}, app={"b": [2]}, user={"c": {"d": None}}))
    for part in ({}, {"last": 1}):
        found = await store.read(REF, **part)  # type: ignore[arg-type]
        assert found is not None
        assert found.document.tail.state == {"a": 1}
        assert (found.app_state, found.user_state) == ({"b": [2]}, {"c": {"d": None}})
    assert await store.shared_state("demo", "ada") == ({"b": [2]}, {"c": {"d": None}})
    assert await store.shared_state("demo", "bob") == ({"b": [2]}, {})
    app, users = await store.states("demo", ["ada", "bob"])
    assert (app, users) == ({"b": [2]}, {"ada": {"c": {"d": None}}, "bob": {}})


async def test_state_that_was_set_by_hand_is_text(store: SessionStore, valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.hset(store.keys.app_state("demo"), mapping={"plain": "yes", b"\xff": b"\xfe"})
    app, _ = await store.shared_state("demo", "ada")
    assert app == {"plain": "yes", "\ufffd": "\ufffd"}


async def test_a_value_is_the_document_as_stored(store: SessionStore, valkey_url: str) -> None:
    await fill(store, REF, 2)
    with redis.Redis.from_url(valkey_url) as client:
        assert await store.value(REF) == client.get(store.keys.session(REF))
        client.delete(store.keys.session(REF))
        client.rpush(store.keys.session(REF), "x")
    with pytest.raises(SessionUnreadable, match="its key is not a string"):
        await store.value(REF)
    for part in ({}, {"last": 1}, {"since": 0.0}):
        with pytest.raises(SessionUnreadable, match="'s1' of user 'ada'"):
            await store.read(REF, **part)  # type: ignore[arg-type]


async def test_names_of_any_letters(store: SessionStore) -> None:
    ref = SessionRef("a:b", "50% µ", "x/y:z")
    await fill(store, ref, 1)
    found = await store.read(ref)
    assert found is not None
    assert found.document.ref == ref
