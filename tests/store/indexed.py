"""Sessions with given times, written with their index entries and nothing else."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis

from adksess.store.document import Document, Tail, encode, iso_time
from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore


class Spec(NamedTuple):
    """A session to write: its names, its last update in seconds before now, its TTL."""

    app_name: str
    user_id: str
    session_id: str
    age: float
    ttl: int = 0
    events: int = 0


def command(store: SessionStore, *words: Any) -> Any:
    """Run one command as another program would."""
    with redis.Redis.from_url(store.settings.url) as client:
        return client.execute_command(*words)


async def write(store: SessionStore, specs: Sequence[Spec], *, now: float | None = None) -> None:
    """Write documents as the store encodes them, and index them all."""
    now = time.time() if now is None else now
    for spec in specs:
        ref = SessionRef(*spec[:3])
        updated = now - spec.age
        event = b'{"author":"user","id":"e","invocation_id":"i","timestamp":1.0}'
        tail = Tail({}, iso_time(updated), iso_time(updated), updated, spec.events)
        document = Document(ref=ref, tail=tail, events=[event] * spec.events)
        words = ("PX", spec.ttl * 1000) if spec.ttl else ()
        command(store, "SET", store.keys.session(ref), encode(document), *words)
    await store.audit(fix=True)
