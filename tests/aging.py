"""Sessions with past times: the server sets times, so a test has to write them itself."""

from dataclasses import replace

from adksess.store.document import decode, encode, iso_time
from adksess.store.keys import SessionRef
from adksess.store.models import StoredValue
from adksess.store.store import SessionStore


async def age(store: SessionStore, ref: SessionRef, moment: float) -> None:
    """Make a session one that was created and last updated at a time (Unix seconds)."""
    (stored,) = await store.values([ref])
    document = decode(stored.value, ref)
    time = iso_time(moment)
    tail = document.tail._replace(created_at=time, updated_at=time)
    value = encode(replace(document, tail=tail))
    await store.put([StoredValue(ref, value, stored.ttl_ms)], replace=True)
