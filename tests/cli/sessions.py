"""Sessions for the tests of the commands to find."""

import asyncio
import time
from typing import Any

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore


def store_session(
    url: str,
    app: str = "demo",
    user: str = "ada",
    session_id: str = "session-1",
    *,
    texts: tuple[str, ...] = (),
    events: tuple[dict[str, Any], ...] = (),
    state: dict[str, Any] | None = None,
    user_state: dict[str, Any] | None = None,
    title: str = "",
    ttl: int | None = None,
    now: float | None = None,
) -> SessionRef:
    """Store a session with plain text events, or with events as given."""
    ref = SessionRef(app, user, session_id)
    metadata = {"__session_metadata__": {"displayName": title}} if title else {}

    async def fill() -> None:
        async with SessionStore(url) as store:
            await store.create(
                ref, state=metadata | (state or {}), user_state=user_state, ttl=ttl, now=now
            )
            for number, item in enumerate(tuple(map(_text_event, texts)) + events):
                stamp = 1_795_000_000.0 + number
                event = {"id": f"e{number}", "timestamp": stamp} | item
                await store.append(ref, event, timestamp=stamp)

    asyncio.run(fill())
    return ref


def append_text(url: str, ref: SessionRef, text: str) -> None:
    """Append one event to a session that is there."""

    async def append() -> None:
        async with SessionStore(url) as store:
            stamp = time.time()
            await store.append(ref, _text_event(text) | {"timestamp": stamp}, timestamp=stamp)

    asyncio.run(append())


def _text_event(text: str) -> dict[str, Any]:
    return {"author": "user", "content": {"role": "user", "parts": [{"text": text}]}}
