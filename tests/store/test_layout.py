"""The stored layout: scripts write what Python would, and no other key."""

import asyncio
import json
import re
import uuid
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adksess.store.connect import Client, new_client
from adksess.store.document import decode, encode, find_tail, json_bytes
from adksess.store.keys import Keys, SessionRef
from adksess.store.settings import Settings
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.contract.strategies import keys as state_keys
from tests.contract.strategies import times, values
from tests.store.conftest import REF

appends = st.lists(
    st.tuples(
        times, st.dictionaries(state_keys, values, max_size=4), st.sampled_from([0, 10, 3_000])
    ),
    max_size=8,
)


def without_blanks(value: bytes) -> bytes:
    """The value as it would be, had its state never shrunk."""
    start = find_tail(value)
    assert start is not None
    body = re.sub(rb', *("tail_bytes": *\d+})$', rb",\1", value[start:])
    return value[:start] + re.sub(rb" *\d+}$", b"%11d}" % len(body), body)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(initial=st.dictionaries(state_keys, values, max_size=4), appends=appends)
def test_the_script_writes_what_python_would(
    valkey_url: str, initial: dict[str, Any], appends: list[Any]
) -> None:
    async def run() -> bytes:
        async with SessionStore(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as store:
            await store.create(REF, StateDelta(initial))
            for number, (at, state, size) in enumerate(appends):
                body = {"id": number, "timestamp": at, "x": "y" * size, "state": state}
                await store.append(REF, body, StateDelta(state), timestamp=at)
                value = await store.value(REF)
                assert value is not None
                json.loads(value)
            return await store.value(REF) or b""

    value = asyncio.run(run())
    document = decode(value, REF)
    merged = dict(initial)
    for _, state, _ in appends:
        merged |= state
    assert document.tail.state == merged
    assert list(document.tail.state) == list(merged)
    assert [json.loads(event)["id"] for event in document.events] == list(range(len(appends)))
    assert document.tail.newest_event_time == max((at for at, _, _ in appends), default=0.0)
    assert without_blanks(value) == encode(document)


async def test_a_value_never_gets_shorter_and_blanks_are_used_up(store: SessionStore) -> None:
    await store.create(REF, StateDelta({"a": "x" * 5_000}))
    lengths = [len(await store.value(REF) or b"")]
    for number in range(200):
        await store.append(
            REF, {"n": number, "x": "y" * 40}, StateDelta({"a": ""}), timestamp=number + 1
        )
        lengths.append(len(await store.value(REF) or b""))
    assert lengths == sorted(lengths)
    value = await store.value(REF)
    assert value is not None
    assert value == encode(decode(value, REF))


async def test_every_key_and_its_type(valkey_url: str, store: SessionStore) -> None:
    state = StateDelta({"a": 1}, app={"motd": [1, 1.0]}, user={"name": "Ada"})
    await store.create(REF, state)
    await store.append(REF, {"n": 1}, StateDelta(app={"é": None}), timestamp=1.0)
    prefix = store.settings.prefix.encode()
    with redis.Redis.from_url(valkey_url) as client:
        found = {key: client.type(key) for key in client.scan_iter(prefix + b"*")}
        assert found == {
            prefix + b"session:demo:ada:s1": b"string",
            prefix + b"user_sessions:demo:ada": b"zset",
            prefix + b"app_sessions:demo": b"zset",
            prefix + b"session_apps": b"set",
            prefix + b"app_state:demo": b"hash",
            prefix + b"user_state:demo:ada": b"hash",
        }
        assert client.hgetall(prefix + b"app_state:demo") == {
            b"motd": b"[1,1.0]",
            "é".encode(): b"null",
        }
        assert client.ttl(prefix + b"app_state:demo") == -1
        assert client.ttl(prefix + b"user_state:demo:ada") == -1
        assert client.zrange(prefix + b"user_sessions:demo:ada", 0, -1) == [b"s1"]
        assert client.zrange(prefix + b"app_sessions:demo", 0, -1) == [b"ada:s1"]
        assert client.smembers(prefix + b"session_apps") == {b"demo"}
        assert client.ttl(prefix + b"app_sessions:demo") == -1
        assert client.ttl(prefix + b"session_apps") == -1


async def test_no_key_outside_the_prefix_is_changed(valkey_url: str) -> None:
    mine, other = f"t{uuid.uuid4().hex}:", f"t{uuid.uuid4().hex}:"
    ref = SessionRef("*", "?", "[a]")
    with redis.Redis.from_url(valkey_url) as client:

        def rest() -> dict[bytes, Any]:
            keys = (key for key in client.scan_iter() if not key.startswith(mine.encode()))
            return {key: (client.dump(key), client.expiretime(key)) for key in keys}

        decoys = [Keys(other), Keys(f"{mine[:-1]}x:"), Keys(f"x{mine}")]
        for keys in decoys:
            client.set(keys.session(ref), b"{}", ex=1_000)
            client.hset(keys.app_state("*"), "a", "1")
            client.hset(keys.user_state("*", "?"), "a", "1")
            client.zadd(keys.user_sessions("*", "?"), {"[a]": 1.0})
        before = rest()
        async with SessionStore(valkey_url, prefix=mine) as store:
            await store.create(ref, StateDelta(app={"a": 1}, user={"b": 2}))
            await store.append(ref, {"n": 1}, StateDelta({"a": 1}), timestamp=1.0)
            await store.set_expiry(ref, 50)
            listed = [one async for batch in store.scan() for one in batch]
            assert [one.ref for one in listed] == [ref]
            await store.user_summaries("*", "?")
            assert await store.delete([ref]) == 1
            assert await store.delete_state() == 2
        assert rest() == before
        assert not list(client.scan_iter(f"{mine}session:*"))


async def test_a_document_of_another_tool_is_read_listed_and_converted(
    valkey_url: str, store: SessionStore
) -> None:
    foreign = {
        "id": "s1",
        "state": {"a": [], "b": 1.0},
        "events": [{"author": "user", "timestamp": 5.0, "text": "é\n" * 1_000}] * 3,
        "lastUpdateTime": 5.0,
        "extra": "dropped",
    }
    key = store.keys.session(REF)
    with redis.Redis.from_url(valkey_url) as client:
        client.set(key, json.dumps(foreign, indent=2), ex=5_000)
        found = await store.read(REF)
        assert found is not None
        assert found.document.tail.event_count == 3
        assert found.document.tail.state == foreign["state"]
        part = await store.read(REF, last=1)
        assert part is not None
        assert len(part.document.events) == 1
        (summary,) = [one async for batch in store.scan("demo") for one in batch]
        assert summary.tail is not None
        assert summary.tail.event_count == 3

        appended = await store.append(REF, {"n": 4}, StateDelta({"c": 1}), timestamp=6.0)
        assert appended.event_count == 4
        value = client.get(key)
        assert value is not None
        assert without_blanks(value) == encode(decode(value, REF))
        assert json.loads(value)["events"] == [*foreign["events"], {"n": 4}]
        assert json.loads(value)["state"] == {"a": [], "b": 1.0, "c": 1}
        assert 5_000 < client.ttl(key) <= 86_400
        (summary,) = await store.user_summaries("demo", "ada")
        assert summary.ref == REF


async def test_conversion_keeps_a_session_persistent(valkey_url: str, store: SessionStore) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.set(store.keys.session(REF), b'{"state":{},"events":[]}')
        await store.append(REF, {"n": 1}, timestamp=6.0)
        assert client.ttl(store.keys.session(REF)) == -1


async def test_concurrent_appends_convert_a_document_once(
    valkey_url: str, store: SessionStore
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.set(store.keys.session(REF), b'{"state":{"a":0},"events":[{"n":-1}]}')
    await asyncio.gather(
        *(store.append(REF, {"n": n}, StateDelta({f"k{n}": n}), timestamp=n) for n in range(20))
    )
    found = await store.read(REF)
    assert found is not None
    numbers = [json.loads(event)["n"] for event in found.document.events]
    assert sorted(numbers) == list(range(-1, 20))
    assert found.document.tail.state == {"a": 0} | {f"k{n}": n for n in range(20)}


@pytest.mark.parametrize("size", [0, 100, 40_000, 400_000])
async def test_any_earlier_event_is_found_after_a_lost_reply(
    store: SessionStore, size: int
) -> None:
    await store.create(REF)
    lines = [json_bytes({"n": n, "x": "y" * size}) for n in range(12)]
    for n, line in enumerate(lines):
        await store.append(REF, line, timestamp=float(n))
    for n, line in enumerate(lines):
        appended = await store.append(REF, line, timestamp=float(n), is_known=True)
        assert appended.is_duplicate
        assert appended.event_count == 12


async def test_a_part_of_an_event_is_not_a_duplicate(store: SessionStore) -> None:
    """A stored text may hold the very bytes of another event."""
    await store.create(REF)
    small = json_bytes({"a": 1})
    for body in ({"a": 1, "b": 2}, {"x": small.decode()}, {"x": [{"a": 1}]}, {"x": "\n" + "{}"}):
        await store.append(REF, body, timestamp=5.0)
    appended = await store.append(REF, small, timestamp=5.0)
    assert (appended.is_duplicate, appended.event_count) == (False, 5)
    assert (await store.append(REF, small, timestamp=5.0)).is_duplicate


async def test_another_writer_wins_over_a_conversion(valkey_url: str, store: SessionStore) -> None:
    """Another append comes between the read of a foreign document and its replacement."""
    came_between = False

    def connect(settings: Settings) -> Client:
        client = new_client(settings)
        execute = client.execute_command

        async def delayed(*command: Any, **options: Any) -> Any:
            nonlocal came_between
            answer = await execute(*command, **options)
            if command[0] == "GET" and not came_between:
                came_between = True
                await store.append(REF, {"n": "first"}, StateDelta({"first": 1}), timestamp=1.0)
            return answer

        client.execute_command = delayed  # type: ignore[method-assign]
        return client

    with redis.Redis.from_url(valkey_url) as client:
        client.set(store.keys.session(REF), b'{"state":{"a":0},"events":[{"n":0}]}')
    async with SessionStore(store.settings, connect=connect) as other:
        await other.append(REF, {"n": "second"}, StateDelta({"second": 2}), timestamp=2.0)
    assert came_between
    found = await store.read(REF)
    assert found is not None
    assert [json.loads(e)["n"] for e in found.document.events] == [0, "first", "second"]
    assert found.document.tail.state == {"a": 0, "first": 1, "second": 2}


async def test_a_foreign_document_with_a_similar_end_is_read_whole(
    valkey_url: str, store: SessionStore
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.set(store.keys.session(REF), '{"events":[],"state":{"a":1},"tail_bytes":5}')
    (summary,) = await store.summaries([REF])
    assert summary.is_foreign
    assert summary.tail
    assert summary.tail.state == {"a": 1}
