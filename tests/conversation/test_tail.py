"""Tail: every appended event is returned once and in order."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from adksess.conversation import tail as tail_module
from adksess.conversation.status import Status
from adksess.conversation.tail import NewEvent, Tail
from adksess.store.document import Document, encode, iso_time, json_bytes
from adksess.store.document import Tail as DocumentTail
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.models import StoredValue
from adksess.store.store import SessionStore
from adksess.transfer.trim import trim_document

_PREFIXES = count()
_REF = SessionRef("demo", "ada", "s1")


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[SessionStore]:
    async with SessionStore(f"{valkey_url}?prefix=tail{next(_PREFIXES)}:") as opened:
        yield opened


async def test_events_of_many_writers_are_complete_and_in_order(store: SessionStore) -> None:
    """Old, new, long and re-created sessions, written by eight tasks while a ninth follows."""
    refs = [SessionRef(f"app{n % 3}", f"user{n % 5}", f"s{n}") for n in range(40)]
    for ref in refs[:20]:
        await store.create(ref)
        for number in range(3):
            await _append(store, ref, f"old {number}")
    tail = Tail(store, SessionFilter())
    await tail.start()
    written: dict[SessionRef, list[str]] = defaultdict(list)
    numbers = count()

    async def write(worker: int) -> None:
        chance = random.Random(worker)
        mine = refs[worker::8]
        for ref in mine:
            if ref in refs[20:]:
                await store.create(ref)
        for _ in range(40):
            ref = chance.choice(mine)
            text = f"{next(numbers)} " + "x" * chance.choice([0, 0, 0, 20_000])
            await _append(store, ref, text)
            written[ref].append(text)

    given: dict[SessionRef, list[str]] = defaultdict(list)

    async def follow(writers: "asyncio.Future[Any]") -> None:
        while True:
            was_done = writers.done()
            for new in await tail.poll():
                given[new.ref].append(_text(new))
            if was_done:
                return

    writers = asyncio.gather(*(write(worker) for worker in range(8)))
    await asyncio.gather(writers, follow(writers))
    assert sum(map(len, written.values())) == 320
    assert given == written
    assert await tail.poll() == []


async def test_a_session_that_is_trimmed_or_created_again_loses_nothing(
    store: SessionStore,
) -> None:
    tail = Tail(store, SessionFilter())
    await tail.start()
    await store.create(_REF)
    for number in range(4):
        await _append(store, _REF, f"first {number}")
    assert [_text(new) for new in await tail.poll()] == [f"first {n}" for n in range(4)]

    (stored,) = await store.values([_REF])
    found = await store.read(_REF)
    assert found is not None
    shorter = trim_document(found.document, 2)
    assert shorter is not None
    assert await store.replace_if_unchanged(stored, shorter.document)
    await _append(store, _REF, "after the trim")
    assert [_text(new) for new in await tail.poll()] == ["after the trim"]

    await store.delete([_REF])
    await store.create(_REF)
    for number in range(5):
        await _append(store, _REF, f"again {number}")
    assert [_text(new) for new in await tail.poll()] == [f"again {n}" for n in range(5)]


async def test_filters_and_statuses(store: SessionStore) -> None:
    tail = Tail(store, SessionFilter(apps=("demo",), users=("ada",)), [Status.UNANSWERED])
    await tail.start()
    answered = SessionRef("demo", "ada", "s2")
    for ref in (_REF, answered, SessionRef("demo", "bob", "s3"), SessionRef("web", "ada", "s4")):
        await store.create(ref)
        await _append(store, ref, "hello")
    await _append(store, answered, "hi", author="helper")
    assert [new.ref for new in await tail.poll()] == [_REF]


async def test_since_gives_the_latest_events_first(store: SessionStore) -> None:
    await store.create(_REF)
    now = await store.now()
    for seconds, text in ((3_000, "long ago"), (60, "just now")):
        await _append(store, _REF, text, stamp=now - seconds)
    tail = Tail(store, SessionFilter())
    assert [_text(new) for new in await tail.start(since=600)] == ["just now"]
    await _append(store, _REF, "next")
    (new,) = await tail.poll()
    assert (_text(new), new.number) == ("next", 3)


async def test_in_a_large_database_old_sessions_are_recognized_by_time(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the sessions that were idle for long are not read at the start."""
    monkeypatch.setattr("adksess.store.recency.SMALL", -1)
    monkeypatch.setattr(tail_module, "REMEMBERED", -5)
    now = await store.now()
    lines = [json_bytes(_said(f"old {n}", now - 4_000 + n)) for n in range(3)]
    times = DocumentTail({}, iso_time(now - 5_000), iso_time(now - 4_000), now - 4_000, 3)
    await store.put([StoredValue(_REF, encode(Document(_REF, times, lines)), None)])
    tail = Tail(store, SessionFilter())
    await tail.start()
    await _append(store, _REF, "new")
    new_ref = SessionRef("demo", "ada", "s2")
    await store.create(new_ref)
    await _append(store, new_ref, "first", stamp=1.0)
    assert sorted(_text(new) for new in await tail.poll()) == ["first", "new"]


async def _append(
    store: SessionStore,
    ref: SessionRef,
    text: str,
    *,
    author: str = "user",
    stamp: float | None = None,
) -> None:
    stamp = await store.now() if stamp is None else stamp
    await store.append(ref, _said(text, stamp, author), timestamp=stamp)


def _said(text: str, stamp: float, author: str = "user") -> dict[str, Any]:
    return {"author": author, "timestamp": stamp, "content": {"parts": [{"text": text}]}}


def _text(new: NewEvent) -> str:
    text: str = new.event["content"]["parts"][0]["text"]
    return text
