"""Reading keys of other programs: of the type asked for, and nothing is changed."""

import uuid
from collections.abc import AsyncIterator

import pytest
import redis

from adksess.store.foreign import ReadOnlyRedis
from adksess.store.settings import Settings


@pytest.fixture
async def foreign(valkey_url: str) -> AsyncIterator[ReadOnlyRedis]:
    async with ReadOnlyRedis(Settings.parse(valkey_url)) as foreign:
        yield foreign


@pytest.fixture
def start(client: redis.Redis) -> str:
    """What the names of a test's keys start with."""
    start = f"t{uuid.uuid4().hex}:"
    client.set(start + "string", b"\xff", px=600_000)
    client.set(start + "forever", "x")
    client.hset(start + "hash", mapping={"a": "1", "b": "2"})
    client.rpush(start + "list", "x", "y")
    return start


async def test_strings_with_their_ttl(foreign: ReadOnlyRedis, start: str) -> None:
    names = ["forever", "hash", "missing", "string", "forever"]
    answers = await foreign.strings([(start + name).encode() for name in names])
    assert answers[:3] == [(b"x", None), (None, None), (None, None)]
    assert answers[4] == answers[0]
    value, ttl = answers[3]
    assert value == b"\xff"
    assert ttl is not None
    assert 0 < ttl <= 600_000


async def test_hashes_and_lists(foreign: ReadOnlyRedis, start: str) -> None:
    keys = [(start + name).encode() for name in ("hash", "list", "string", "missing")]
    assert await foreign.hashes(keys) == [{b"a": b"1", b"b": b"2"}, {}, {}, {}]
    assert await foreign.lists(keys) == [[], [b"x", b"y"], [], []]
    assert await foreign.strings([]) == await foreign.hashes([]) == await foreign.lists([]) == []


async def test_a_scan_in_batches(foreign: ReadOnlyRedis, client: redis.Redis, start: str) -> None:
    more = {f"{start}n{number}" for number in range(1_234)}
    client.mset(dict.fromkeys(more, ""))
    batches = [batch async for batch in foreign.scan(f"{start}n*".encode())]
    assert {key.decode() for batch in batches for key in batch} == more
    assert max(map(len, batches)) <= 200
    assert await foreign.key_count() == client.dbsize()
