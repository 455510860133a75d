"""Listings page by page while others write: no session twice, none missing."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import redis

from adksess import SessionRef, SessionStore
from adksess.store.cursor import Cursor
from adksess.store.document import Document, Tail, encode, iso_time
from adksess.store.filters import SessionFilter
from adksess.store.query import Source

PROCESSES, WRITERS_EACH = 4, 2
LARGE_APP, SMALL_APP = "many", "few"
SIZES = {LARGE_APP: 11_500, SMALL_APP: 600}
KINDS = ("kept", "used")
"""Half of the sessions are not changed, the others are appended to all the time."""


class Found(NamedTuple):
    """What the pages of one listing showed, and what was updated meanwhile."""

    pages: list[SessionRef]
    updated: set[SessionRef]


def _refs(app: str, kind: str) -> list[SessionRef]:
    return [SessionRef(app, f"u{n % 97}", f"{kind}-{n}") for n in range(SIZES[app] // 2)]


async def fill(store: SessionStore) -> None:
    """Store sessions of the last day, some with the same second, and index them."""
    rng, now = random.Random(3), await store.now()
    with redis.Redis.from_url(store.settings.url) as client:
        for app in SIZES:
            for ref in (ref for kind in KINDS for ref in _refs(app, kind)):
                moment = now - 10 - rng.randrange(80_000) / rng.choice((1, 1, 1_000))
                tail = Tail({}, iso_time(moment), iso_time(moment), moment, 0)
                client.set(store.keys.session(ref), encode(Document(ref, tail)))
    await store.audit(fix=True)


async def write(url: str, seed: int) -> None:
    """Append, create and delete until the process is killed."""

    async def work(number: int) -> None:
        rng = random.Random(seed * 100 + number)
        created: list[SessionRef] = []
        while True:
            app = rng.choice([LARGE_APP, SMALL_APP])
            if rng.random() < 0.6:
                moment = time.time()
                ref = rng.choice(_refs(app, "used")[:200])
                await store.append(ref, {"id": "e", "timestamp": moment}, timestamp=moment)
            elif len(created) < 50:
                created.append(SessionRef(app, f"u{seed}", f"new-{seed}-{rng.randrange(10**12)}"))
                await store.create(created[-1])
            else:
                await store.delete([created.pop(rng.randrange(len(created)))])

    async with SessionStore(url) as store:
        await asyncio.gather(*(work(number) for number in range(WRITERS_EACH)))


@contextmanager
def writers(url: str) -> Iterator[None]:
    """Eight writers in processes of their own."""
    command = [sys.executable, "-m", "tests.paging", url]
    processes = [subprocess.Popen([*command, str(seed)]) for seed in range(PROCESSES)]
    try:
        yield
        assert all(process.poll() is None for process in processes), "a writer has ended"
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def read_pages(
    store: SessionStore, only: SessionFilter, limit: int, *, reverse: bool
) -> Found:
    """List page by page, as `adksess list` and the commands that it prints do."""
    found: list[SessionRef] = []
    before = None
    while True:
        page = await store.page(only, limit=limit, before=before, reverse=reverse)
        assert page.plan.source is Source.INDEX
        found += [session.ref for session in page.sessions]
        if page.next is None:
            break
        before = Cursor.parse(str(page.next))
    updated: set[SessionRef] = set()
    if page.updated_since is not None:
        since = SessionFilter(apps=only.apps, updated_from=page.updated_since)
        updated = {one.ref for one in (await store.page(since, limit=0)).sessions}
    return Found(found, updated)


def check(found: Found, app: str) -> None:
    """No session is on two pages. Each is on one, or was updated meanwhile."""
    shown = set(found.pages)
    assert len(shown) == len(found.pages), "a session is on two pages"
    missing = set(_refs(app, "kept")) - shown
    assert not missing, f"not shown: {missing}"
    missing = set(_refs(app, "used")) - shown - found.updated
    assert not missing, f"neither shown nor updated: {missing}"


async def prove(url: str, seconds: float) -> str:
    """Read listings in pages of several sizes while others write. Returns what was read."""
    rounds = [
        (SMALL_APP, 1, False),
        (SMALL_APP, 1, True),
        (LARGE_APP, 50, False),
        (LARGE_APP, 50, True),
        (SMALL_APP, 7, False),
        (LARGE_APP, 7, True),
    ]
    listings = pages = sessions = updated = 0
    async with SessionStore(url) as store:
        await fill(store)
        with writers(url):
            end = time.monotonic() + seconds
            while time.monotonic() < end or listings < len(rounds):
                app, limit, reverse = rounds[listings % len(rounds)]
                only = SessionFilter(apps=(app,))
                found = await read_pages(store, only, limit, reverse=reverse)
                check(found, app)
                listings += 1
                pages += -(-len(found.pages) // limit)
                sessions += len(found.pages)
                updated += len(found.updated)
    return (
        f"{listings} listings, {pages:,} pages, {sessions:,} sessions, "
        f"{updated:,} updated meanwhile"
    )


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2])))
