"""Pages of a listing: the same from the index and from a scan, in any order and page size."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from adksess.store import recency
from adksess.store.cursor import Cursor
from adksess.store.errors import InvalidCursor
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.page import Order
from adksess.store.query import Source
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.indexed import Spec, command, write

APPS = ("echo", "support", "a:b")


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every database as a large one."""
    monkeypatch.setattr(recency, "SMALL", 0)


def specs(count: int, *, seconds: float, seed: int = 1) -> list[Spec]:
    """Sessions of three apps; few seconds mean that many share one."""
    rng = random.Random(seed)
    return [
        Spec(
            APPS[n % 3],
            f"u{n % 7}:x",
            f"s{n:04}",
            age=rng.random() * seconds,
            ttl=0 if n % 2 else 600 + 10 * n,
            events=rng.randrange(4),
        )
        for n in range(count)
    ]


def filters(now: float) -> Iterator[SessionFilter]:
    yield SessionFilter()
    yield SessionFilter(apps=("support",))
    yield SessionFilter(apps=("support", "echo"), users=("u1:x", "u2:x"))
    yield SessionFilter(users=("u3:x",))
    yield SessionFilter(app_globs=("s*",), user_globs=("u[12]*",))
    yield SessionFilter(no_ttl=True)
    yield SessionFilter(updated_from=now - 20)
    yield SessionFilter(updated_until=now - 20)
    yield SessionFilter(updated_from=now - 40, updated_until=now - 10, no_ttl=True)


async def names(store: SessionStore, only: SessionFilter, **options: object) -> list[SessionRef]:
    page = await store.page(only, limit=0, **options)  # type: ignore[arg-type]
    return [session.ref for session in page.sessions]


@pytest.mark.parametrize("seconds", [3.0, 60.0, 90_000.0])
async def test_the_index_answers_as_a_scan_does(store: SessionStore, seconds: float) -> None:
    await write(store, specs(120, seconds=seconds))
    now = await store.now()
    for only in filters(now):
        plan = await store.plan(only)
        assert plan.source is (Source.USER_INDEX if only.users else Source.INDEX)
        for order in Order:
            for reverse in (False, True):
                kwargs = {"order": order, "reverse": reverse}
                scanned = await names(store, only, use_scan=True, **kwargs)
                assert await names(store, only, **kwargs) == scanned
                page = await store.page(only, limit=7, order=order, reverse=reverse)
                assert [session.ref for session in page.sessions] == scanned[:7]
                if page.total is not None and not only.needs_tail:
                    assert page.total == len(scanned)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 7, 50, 200])
@pytest.mark.parametrize("use_scan", [False, True])
async def test_pages_have_no_gaps_and_no_duplicates(
    store: SessionStore, *, limit: int, reverse: bool, use_scan: bool
) -> None:
    await write(store, specs(60, seconds=5.0))
    expected = await names(store, SessionFilter(), reverse=reverse)
    found: list[SessionRef] = []
    before = None
    while True:
        page = await store.page(
            SessionFilter(), limit=limit, before=before, reverse=reverse, use_scan=use_scan
        )
        found += [session.ref for session in page.sessions]
        if page.next is None:
            break
        before = Cursor.parse(str(page.next))
    assert found == expected
    assert len(expected) == 60


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("use_scan", [False, True])
async def test_sessions_that_are_updated_between_pages(
    store: SessionStore, *, limit: int, reverse: bool, use_scan: bool
) -> None:
    """None is on two pages; those on none of them are named at the end."""
    await write(store, [Spec("echo", "u", f"s{n:02}", age=10.0 + n) for n in range(21)])
    every = await names(store, SessionFilter(), reverse=reverse)
    rng, used = random.Random(1), set[SessionRef]()
    found: list[SessionRef] = []
    page, before = None, None
    while page is None or page.next:
        page = await store.page(
            SessionFilter(), limit=limit, before=before, reverse=reverse, use_scan=use_scan
        )
        found += [session.ref for session in page.sessions]
        assert len(found) <= len(every)
        before = page.next and Cursor.parse(str(page.next))
        used.add(rng.choice(every[:10]))
        used.add(rng.choice(every[10:]))
        for ref in used:
            await store.append(ref, {"id": "e"}, timestamp=time.time())
    assert len(found) == len(set(found))
    assert page.updated_since is not None
    updated = await names(store, SessionFilter(updated_from=page.updated_since))
    assert set(every) - used <= set(found)
    assert set(every) <= {*found, *updated}
    assert set(updated) <= used


async def test_a_listing_in_pages_without_updates_names_none(store: SessionStore) -> None:
    await write(store, specs(30, seconds=5.0))
    first = await store.page(SessionFilter(), limit=20)
    last = await store.page(SessionFilter(), limit=20, before=first.next)
    assert (len(last.sessions), last.next, last.updated_since) == (10, None, None)


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_session_that_is_updated_before_its_batch_is_read_does_not_move_the_cursor(
    store: SessionStore, *, reverse: bool
) -> None:
    await write(store, [Spec(APPS[n % 3], "u", f"s{n:02}", age=10.0 + n) for n in range(40)])
    every = await names(store, SessionFilter(), reverse=reverse)
    wanted = {every[n] for n in (0, 3, 20, 30, 39)}

    async def refine(batch: list) -> list:  # type: ignore[type-arg]
        if every[0] in [one.ref for one in batch]:  # and the entry of the other has been read
            await store.append(every[3], {"id": "e"}, timestamp=time.time())
        return [one for one in batch if one.ref in wanted]

    found: list[SessionRef] = []
    page, before = None, None
    while page is None or page.next:
        page = await store.page(
            SessionFilter(), limit=2, before=before, reverse=reverse, refine=refine
        )
        assert page.plan.source is Source.INDEX
        found += [session.ref for session in page.sessions]
        assert len(found) <= len(wanted)
        before = page.next
    assert len(found) == len(set(found))
    assert wanted - {every[3]} <= set(found)


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_walk_misses_no_session_that_is_updated_meanwhile(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch, *, reverse: bool
) -> None:
    monkeypatch.setattr(recency, "PAGE", 10)
    await write(store, specs(100, seconds=90_000.0))
    rng = random.Random(7)
    plan = await store.plan(SessionFilter())
    every = [SessionRef(*spec[:3]) for spec in specs(100, seconds=90_000.0)]
    found: list[SessionRef] = []
    async for batch in store.query(plan, SessionFilter(), reverse=reverse):
        found += [session.ref for session in batch]
        for ref in rng.sample(every, 10):  # another process appends to some, shown or not
            await write(store, [Spec(*ref, age=0)])
    assert sorted(found) == sorted(every)


async def test_writers_and_deletes_during_walks(store: SessionStore) -> None:
    kept = [Spec("echo", f"u{n}", f"kept-{n}", age=n * 100.0) for n in range(40)]
    await write(store, kept)
    stop = asyncio.Event()

    async def churn(number: int) -> None:
        rng = random.Random(number)
        while not stop.is_set():
            ref = SessionRef("echo", f"v{number}", f"new-{rng.randrange(5)}")
            await write(store, [Spec(*ref, age=0)])
            await write(store, [Spec(*rng.choice(kept)[:3], age=0)])
            await store.delete([ref])

    churning = [asyncio.create_task(churn(number)) for number in range(2)]
    for _ in range(10):
        plan = await store.plan(SessionFilter())
        found = [s.ref async for batch in store.query(plan, SessionFilter()) for s in batch]
        assert len(found) == len(set(found))
        assert {spec[2] for spec in kept} <= {ref.session_id for ref in found}
    stop.set()
    await asyncio.gather(*churning)


async def test_a_deleted_session_leaves_no_gap_and_its_entry_is_removed(
    store: SessionStore,
) -> None:
    await write(store, specs(30, seconds=100.0))
    for ref in (await names(store, SessionFilter()))[:5]:
        command(store, "DEL", store.keys.session(ref))
    state = await store.index_state()
    assert sum(state.sizes.values()) == 30
    assert len(await names(store, SessionFilter())) == 25
    assert sum((await store.index_state()).sizes.values()) == 25


async def test_the_last_stale_entry_takes_its_app_out_of_the_list(store: SessionStore) -> None:
    await write(store, [Spec("echo", "u", "s", age=5), Spec("support", "u", "s", age=5)])
    command(store, "DEL", store.keys.session(SessionRef("echo", "u", "s")))
    assert len(await names(store, SessionFilter())) == 1
    state = await store.index_state()
    assert (state.is_complete, list(state.sizes)) == (True, ["support"])


async def test_without_a_marker_every_key_is_read_and_the_marker_comes_back(
    store: SessionStore,
) -> None:
    await write(store, specs(30, seconds=100.0))
    command(store, "DEL", store.keys.session_index())
    page = await store.page(SessionFilter(), limit=0)
    assert (page.plan.source, page.plan.lacks_index) == (Source.SCAN, True)
    assert len(page.sessions) == 30
    assert (await store.plan(SessionFilter())).source is Source.INDEX


async def test_an_index_that_lacks_sessions_is_not_used(store: SessionStore) -> None:
    await write(store, specs(30, seconds=100.0))
    command(store, "DEL", store.keys.app_sessions("echo"))
    for _ in range(2):
        page = await store.page(SessionFilter(), limit=0)
        assert (page.plan.source, len(page.sessions)) == (Source.SCAN, 30)
    await store.audit(fix=True)
    page = await store.page(SessionFilter(), limit=0)
    assert (page.plan.source, len(page.sessions)) == (Source.INDEX, 30)


@pytest.mark.parametrize("lost", ["app_sessions:echo", "session_apps"])
@pytest.mark.parametrize("write_again", ["create", "append", "move", "nothing"])
async def test_an_index_that_was_deleted_and_written_again_is_not_used(
    store: SessionStore, lost: str, write_again: str
) -> None:
    await write(store, specs(30, seconds=100.0))
    (first, *_) = (await store.page(SessionFilter(apps=("echo",)))).sessions
    command(store, "DEL", f"{store.keys.prefix}{lost}")
    if write_again == "create":
        await store.create(SessionRef("echo", "u", "new"), StateDelta())
    elif write_again == "append":
        await store.append(first.ref, {"id": "e", "timestamp": time.time()}, timestamp=time.time())
    elif write_again == "move":
        await store.move(first.ref, "another")
    count = 30 + (write_again == "create")
    page = await store.page(SessionFilter(), limit=0)
    assert (page.plan.source, len(page.sessions)) == (Source.SCAN, count)
    await store.audit(fix=True)
    page = await store.page(SessionFilter(), limit=0)
    assert (page.plan.source, len(page.sessions)) == (Source.INDEX, count)


async def test_moving_the_only_session_of_an_app_keeps_the_index(store: SessionStore) -> None:
    await write(store, [Spec("echo", "u", "s", age=5)])
    await store.move(SessionRef("echo", "u", "s"), "another")
    await store.delete([SessionRef("echo", "another", "s")])
    await store.create(SessionRef("echo", "u", "s"), StateDelta())
    page = await store.page(SessionFilter(), limit=0)
    assert (page.plan.source, len(page.sessions)) == (Source.INDEX, 1)


async def test_an_app_without_sessions_and_index_does_not_keep_the_index_from_use(
    store: SessionStore,
) -> None:
    await write(store, specs(30, seconds=100.0))
    command(store, "SADD", store.keys.session_apps(), "gone")
    assert not (await store.index_state()).is_used
    await store.audit(fix=True)
    assert (await store.index_state()).is_used


async def test_a_refined_page(store: SessionStore) -> None:
    await write(store, specs(60, seconds=100.0))

    async def even(batch: list) -> list:  # type: ignore[type-arg]
        return [one for one in batch if int(one.ref.session_id[1:]) % 2 == 0]

    page = await store.page(SessionFilter(), limit=10, refine=even)
    expected = [ref for ref in await names(store, SessionFilter()) if int(ref[2][1:]) % 2 == 0]
    assert [session.ref for session in page.sessions] == expected[:10]
    assert page.total is None


@pytest.mark.parametrize("reverse", [False, True])
async def test_pages_of_sessions_of_any_year(store: SessionStore, *, reverse: bool) -> None:
    times = [-62_135_596_800.0, -1.5, 0.0, 1_795_000_000.25, 253_402_300_799.5]
    specs = [Spec("echo", "u", f"s{n}", age=-time) for n, time in enumerate(times)]
    await write(store, specs, now=0.0)
    expected = [f"s{n}" for n in range(5)]
    found, before = [], None
    while len(found) <= len(specs):
        page = await store.page(SessionFilter(), limit=1, before=before, reverse=reverse)
        assert page.plan.source is Source.INDEX
        found += [session.ref.session_id for session in page.sessions]
        if page.next is None:
            break
        before = Cursor.parse(str(page.next))
    assert found == (expected if reverse else expected[::-1])


@pytest.mark.parametrize(
    "text", ["", "x", "12", "12-", "12-abc", "1--0123456789abcdef", "\u0661-0123456789abcdef"]
)
def test_invalid_cursors(text: str) -> None:
    with pytest.raises(InvalidCursor, match="adksess list"):
        Cursor.parse(text)


async def test_a_cursor_continues_only_a_listing_by_last_update(store: SessionStore) -> None:
    with pytest.raises(ValueError, match="last update"):
        await store.page(SessionFilter(), order=Order.SIZE, before=Cursor(1.0, "0" * 16))


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_walk_finds_a_session_that_is_updated_again_and_again(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch, *, reverse: bool
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    monkeypatch.setattr(recency, "PAGE", 1)
    await write(store, [Spec("demo", "ada", "busy", 300), Spec("demo", "ada", "old", 400)])
    await write(store, [Spec("demo", "ada", f"new{n}", -600 - n) for n in range(3)])
    busy = SessionRef("demo", "ada", "busy")
    index, member = store.keys.app_sessions("demo"), store.keys.app_member(busy)
    read, now = store.index_entries, int(time.time())

    async def moving(*args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        second = options["low"] > 0  # the pages of what was updated meanwhile
        async for page in read(*args, **options | {"first": 1}):
            if not any(entry.member == member for entry in page):
                command(store, "ZADD", index, now + 900 if second else now, member)
            yield page

    monkeypatch.setattr(store, "index_entries", moving)
    everything = SessionFilter()
    plan = await store.plan(everything)
    assert plan.source is Source.INDEX
    found = [s.ref async for b in store.walk(plan.state, everything, reverse=reverse) for s in b]
    assert len(found) == len(set(found)) == 5
