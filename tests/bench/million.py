"""A database of a million sessions: 5 apps, 10 sessions per user, 60 days, both indexes."""

import random
from collections.abc import Iterator

from adksess.store.document import Document, Tail, encode, iso_time
from adksess.store.keys import Keys, SessionRef
from tests.bench.lab import client

APPS = ("support", "weather", "sales", "travel", "echo")
DAYS = 60
PER_USER = 10
_BATCH = 5_000
_EVENT = (
    b'{"content":{"parts":[{"text":"What did I say about the weather?"}],"role":"user"},'
    b'"invocation_id":"i-%d","author":"user","id":"e-%d","timestamp":%d.5}'
)


def sessions(count: int, now: float, *, seed: int = 1) -> Iterator[tuple[Document, float, int]]:
    """Yield documents with their last update (Unix seconds) and TTL in ms (0 for none)."""
    rng = random.Random(seed)
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
        )
        events = [_EVENT % (i, i, int(updated) - 1 + i) for i in range(2)]
        yield (
            Document(ref=ref, tail=tail, events=events),
            updated,
            0 if number % 5 == 0 else 90 * 86_400_000,
        )


async def fill(url: str, count: int, *, indexed: bool = True) -> None:
    """Write the sessions, and with `indexed` the recency index and its marker too."""
    keys = Keys()
    async with client(url) as redis:
        now = (await redis.time())[0]
        batch = []
        for item in sessions(count, now):
            batch.append(item)
            if len(batch) == _BATCH:
                await _write(redis, keys, batch, now, indexed=indexed)
                batch = []
        await _write(redis, keys, batch, now, indexed=indexed)
        if indexed:
            await redis.set(keys.session_index(), now)


async def _write(redis, keys, batch, now, *, indexed) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for document, updated, ttl in batch:
            ref = document.ref
            pipe.set(keys.session(ref), encode(document), px=ttl or None)
            pipe.zadd(
                keys.user_sessions(*ref.user),
                {ref.session_id: now + ttl / 1000 if ttl else float("inf")},
            )
            if indexed:
                pipe.zadd(keys.app_sessions(ref.app_name), {keys.app_member(ref): int(updated)})
        if indexed and batch:
            pipe.sadd(keys.session_apps(), *APPS)
        await pipe.execute()


if __name__ == "__main__":
    import asyncio
    import sys

    asyncio.run(fill(sys.argv[1], int(sys.argv[2]), indexed=sys.argv[3:] != ["plain"]))
