"""Sessions for the tests of the commands to find."""

import asyncio
import re
import time
from typing import Any

import redis

from adksess.conversation.titles import title_of
from adksess.store.document import Document, Tail, encode, iso_time, json_bytes
from adksess.store.keys import Keys, SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.aging import age
from tests.conftest import Run

NOW = 1_795_000_000.0
"""A pinned time: 2026-11-18 12:26:40 UTC."""


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
                ref, StateDelta(metadata | (state or {}), user=user_state or {}), ttl=ttl, now=now
            )
            if now is not None:
                await age(store, ref, now)
            for number, item in enumerate(tuple(map(_text_event, texts)) + events):
                stamp = 1_795_000_000.0 + number
                event = {"id": f"e{number}", "timestamp": stamp} | item
                title = title_of(texts[number]) if number < len(texts) else ""
                await store.append(ref, event, timestamp=stamp, title=title)

    asyncio.run(fill())
    return ref


def ids_in(run: Run) -> set[str]:
    """The ids of all stored sessions."""
    return set(run("list", "-o", "ids", "-n", "0").out.split())


def append_text(url: str, ref: SessionRef, text: str) -> None:
    """Append one event to an existing session."""

    async def append() -> None:
        async with SessionStore(url) as store:
            stamp = time.time()
            await store.append(ref, _text_event(text) | {"timestamp": stamp}, timestamp=stamp)

    asyncio.run(append())


def _text_event(text: str) -> dict[str, Any]:
    return {"author": "user", "content": {"role": "user", "parts": [{"text": text}]}}


def put_document(
    client: redis.Redis,
    ref: SessionRef,
    *events: dict[str, Any],
    state: dict[str, Any] | None = None,
    updated: float = NOW,
    ttl: int | None = 90_100,
) -> None:
    """Write a document with its times pinned, as the store would."""
    times = [event.get("timestamp", updated) for event in events]
    tail = Tail(
        state=state or {},
        created_at=iso_time(min([updated, *times])),
        updated_at=iso_time(updated),
        last_update_time=updated,
        event_count=len(events),
        newest_event_time=max(times, default=updated),
    )
    document = Document(ref, tail, [json_bytes(event) for event in events])
    client.set(Keys().session(ref), encode(document), ex=ttl)


def said(author: str, text: str, **fields: Any) -> dict[str, Any]:
    """An event with a text."""
    return {"author": author, "timestamp": NOW, "content": {"parts": [{"text": text}]}} | fields


def called(name: str, call_id: str = "c1", **fields: Any) -> dict[str, Any]:
    """An event of the agent that calls a tool; `args` are its arguments."""
    call = {"id": call_id, "name": name, "args": fields.pop("args", {})}
    parts = [{"function_call": call}]
    return {"author": "helper", "timestamp": NOW, "content": {"parts": parts}} | fields


def store_all_kinds(url: str) -> None:
    """Store seven sessions: odd state, own TTL, no TTL, odd names, a shrunk state, foreign JSON."""
    odd = {
        "": "empty key",
        'quo"te,\n': [],
        "float": 1.0,
        "big": 2**70,
        "none": None,
        "line": "\u2028 \x1b[31m \t",
        "emoji": "\U0001f600",
    }
    store_session(url, "demo", "ada", "one", texts=("a", "b\u2028"), state=odd)
    store_session(url, "demo", "ada", "own-ttl", texts=("x",), ttl=500)
    store_session(url, "demo", "bob", "for-ever", ttl=0, user_state={"k": [1, {"x": None}]})
    store_session(url, "a:b%", "c*", "d:e", texts=("x",) * 40, state={"big": "x" * 9_000})
    shrunk = store_session(url, "a:b%", "c*", "shrunk", state={"big": "x" * 9_000})

    async def shrink() -> None:
        async with SessionStore(url) as store:
            event = {"id": "e", "timestamp": time.time()}
            await store.append(
                shrunk, event, StateDelta({"big": ""}, app={"n": 1.5}), timestamp=time.time()
            )

    asyncio.run(shrink())
    plain = b'{\n  "session_id": "plain",\n  "state": {"a": [1, 1.0]}, "events": []\n}'
    tabs = b'{\n\t"session_id": "tabbed",\n\t"state": {}, "events": []\n}\r\n'
    with redis.Redis.from_url(url) as client:
        client.set("session:demo:ada:plain", plain, ex=700)
        client.set("session:demo:ada:tabbed", tabs)


def masked(text: str) -> str:
    """Output with the digits of clock times and of seconds to live replaced by zeros."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "0000-00-00 00:00", text)
    return re.sub(r" 9[23]\d\d\d$", " 93000", text, flags=re.MULTILINE)
