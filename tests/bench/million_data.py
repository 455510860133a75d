"""Databases of up to a million sessions, written by pipelines, for the rows about them."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from adksess.store.document import Document, Tail, encode, iso_time
from adksess.store.keys import COMPLETE, Keys, SessionRef
from tests.bench.lab import Lab, client

APPS = ("support", "weather", "sales", "travel", "echo")
DAYS = 60
PER_USER = 10
_BATCH = 2_000
_EVENTS = (
    (
        b'{"content":{"parts":[{"text":"What did I say about the weather?"}],"role":"user"},'
        b'"invocation_id":"i-1","author":"user","id":"e-1","timestamp":%d.5}'
    ),
    (
        b'{"content":{"parts":[{"text":"You asked whether it will rain."}],"role":"model"},'
        b'"invocation_id":"i-1","author":"helper","id":"e-2","timestamp":%d.75}'
    ),
)


def documents(count: int, now: float) -> Iterator[tuple[Document, float, int]]:
    """Yield sessions with their last update (Unix seconds) and TTL in ms, 0 for none.

    5 apps, 10 sessions a user, updates spread over 60 days, one in five never expires.
    """
    rng = random.Random(1)
    for number in range(count):
        user = number // PER_USER
        ref = SessionRef(APPS[user % len(APPS)], f"u{user:08d}", f"s{number:08d}")
        updated = now - 1 - rng.random() * DAYS * 86_400
        tail = Tail(
            state={"__session_metadata__": {"displayName": "What about the weather?"}, "turns": 1},
            created_at=iso_time(updated - 60),
            updated_at=iso_time(updated),
            last_update_time=updated,
            event_count=2,
            newest_event_time=updated,
            title="",
        )
        events = [event % int(updated) for event in _EVENTS]
        yield Document(ref, tail, events), updated, 0 if number % 5 == 0 else 90 * 86_400_000


async def fill(redis: Any, count: int, *, indexed: bool = True) -> None:
    """Write sessions and their index entries, those of the recency index only if `indexed`."""
    keys, batch = Keys(), []
    now = time.time()
    for item in documents(count, now):
        batch.append(item)
        if len(batch) == _BATCH:
            await _write(redis, keys, batch, now, indexed=indexed)
            batch = []
    if batch:
        await _write(redis, keys, batch, now, indexed=indexed)
    if indexed:
        await redis.set(keys.session_index(), int(now))
        await redis.sadd(keys.session_apps(), COMPLETE)


async def _write(
    redis: Any,
    keys: Keys,
    batch: Sequence[tuple[Document, float, int]],
    now: float,
    *,
    indexed: bool,
) -> None:
    pipe = redis.pipeline(transaction=False)
    users: dict[bytes, dict[str, float]] = {}
    apps: dict[str, dict[bytes, int]] = {}
    for document, updated, ttl in batch:
        ref = document.ref
        pipe.set(keys.session(ref), encode(document), px=ttl or None)
        expiry = now + ttl / 1000 if ttl else float("inf")
        users.setdefault(keys.user_sessions(*ref.user), {})[ref.session_id] = expiry
        apps.setdefault(ref.app_name, {})[keys.app_member(ref)] = int(updated)
    for index, ids in users.items():
        pipe.zadd(index, ids)
    if indexed:
        for app, members in apps.items():
            pipe.zadd(keys.app_sessions(app), members)
        pipe.sadd(keys.session_apps(), *apps)
    await pipe.execute()


_URLS: dict[int, str] = {}


async def small(lab: Lab) -> str:
    """Return the URL of a database of a thousand sessions."""
    return await _filled(lab, 1_000)


async def large(lab: Lab) -> str:
    """Return the URL of a database of a million sessions."""
    return await _filled(lab, lab.pick(1_000_000, 100_000))


async def _filled(lab: Lab, count: int) -> str:
    """Return the URL of a database with `count` sessions, filled once for all rows."""
    if count not in _URLS:
        url = f"redis://{lab.start_server()}/0"
        async with client(url) as redis:
            await fill(redis, count)
        _URLS[count] = url
    return _URLS[count]


async def add_idle(redis: Any, count: int) -> None:
    """Write sessions that were not updated for 90 days."""
    keys, now = Keys(), time.time()
    batch = []
    for number, (document, _, _) in enumerate(documents(count, now - 90 * 86_400)):
        ref = document.ref._replace(user_id=f"old{number // PER_USER}")
        updated = now - 90 * 86_400 - number
        tail = document.tail._replace(updated_at=iso_time(updated))
        batch.append((Document(ref, tail, document.events), updated, 0))
    await _write(redis, keys, batch, now, indexed=True)


async def drop_user_indexes(redis: Any) -> None:
    """Remove the index of every user."""
    keys = [key async for key in redis.scan_iter(match="user_sessions:*", count=1_000)]
    for start in range(0, len(keys), 1_000):
        await redis.unlink(*keys[start : start + 1_000])
