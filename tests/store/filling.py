"""Sessions with text events, for tests that read them."""

from typing import Any

from adksess.store.keys import SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore


async def fill(
    store: SessionStore, ref: SessionRef, count: int, *, size: int = 0, **state: Any
) -> list[bytes]:
    """Create a session and append events of about `size` bytes. Returns the ids of the events."""
    await store.create(ref, StateDelta(session=state))
    for number in range(count):
        event = {"id": f"e{number}", "author": "user", "timestamp": float(number)}
        event |= {"content": {"parts": [{"text": "x" * size}]}}
        await store.append(ref, event, timestamp=float(number))
    return [f"e{number}".encode() for number in range(count)]
