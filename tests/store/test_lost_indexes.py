"""Indexes that were deleted, evicted or replaced by another program's key: nothing is missed."""

import time

import pytest
import redis

from adksess.store import recency
from adksess.store.errors import SessionUnreadable
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.page import Page
from adksess.store.query import Source
from adksess.store.store import SessionStore
from tests.store.indexed import Spec, write

APPS = ("echo", "support")
FIRST, OLDER = SessionRef("echo", "u0", "s00"), SessionRef("echo", "u2", "s02")


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every database as a large one."""
    monkeypatch.setattr(recency, "SMALL", 0)


@pytest.fixture(autouse=True)
async def _sessions(store: SessionStore) -> None:
    specs = [Spec(APPS[n % 2], f"u{n % 3}", f"s{n:02}", age=n * 100.0) for n in range(12)]
    await write(store, specs)


async def _append(store: SessionStore, ref: SessionRef) -> None:
    await store.append(ref, {"id": "e", "timestamp": time.time()}, timestamp=time.time())


async def _of(store: SessionStore, user: str) -> Page:
    return await store.page(SessionFilter(users=(user,)))


@pytest.mark.parametrize("name", ["session_apps", "app_sessions:echo", "session_index"])
async def test_a_foreign_key_is_named_kept_and_worked_around(
    store: SessionStore, client: redis.Redis, name: str
) -> None:
    key = f"{store.keys.prefix}{name}"
    client.delete(key)
    client.hset(key, "a", "b")
    value = client.dump(key)
    for only in (SessionFilter(), SessionFilter(users=("u0",)), SessionFilter(apps=("echo",))):
        page = await store.page(only)
        assert page.plan.source is Source.SCAN
        assert key in page.plan.advice
        assert "doctor" in page.plan.advice
    assert len((await store.page(SessionFilter())).sessions) == 12
    for full, fix in ((False, False), (True, False), (True, True)):
        found = await store.audit(full=full, fix=fix)
        assert found.wrong_type.examples == [key]
        assert found.sessions == 12 or not full
    assert sum([count async for count in store.index_missing()]) == 0
    assert client.dump(key) == value
    assert (await store.page(SessionFilter())).plan.source is Source.SCAN
    client.delete(key)
    await store.audit(fix=True)
    page = await store.page(SessionFilter())
    assert (page.plan.source, page.plan.advice, len(page.sessions)) == (Source.INDEX, "", 12)


async def test_a_foreign_text_instead_of_the_time_of_the_last_pass_is_kept(
    store: SessionStore, client: redis.Redis
) -> None:
    key = store.keys.session_index()
    client.set(key, "https://example.org")
    page = await store.page(SessionFilter())
    assert (page.plan.source, len(page.sessions)) == (Source.SCAN, 12)
    assert (await store.audit(fix=True)).wrong_type.examples == [key.decode()]
    assert client.get(key) == b"https://example.org"


@pytest.mark.parametrize("name", ["session_apps", "app_sessions:echo"])
async def test_a_write_that_meets_a_foreign_key_changes_nothing(
    store: SessionStore, client: redis.Redis, name: str
) -> None:
    client.delete(f"{store.keys.prefix}{name}")
    client.set(f"{store.keys.prefix}{name}", "foreign")
    before = {key: client.dump(key) for key in client.keys(f"{store.keys.prefix}*")}
    with pytest.raises(SessionUnreadable, match="another type"):
        await store.create(SessionRef("echo", "new", "s"))
    with pytest.raises(SessionUnreadable, match="another type"):
        await _append(store, OLDER)
    assert before == {key: client.dump(key) for key in client.keys(f"{store.keys.prefix}*")}


async def test_a_foreign_key_instead_of_a_user_index(
    store: SessionStore, client: redis.Redis
) -> None:
    key = store.keys.user_sessions("echo", "u0")
    client.delete(key)
    client.set(key, "foreign")
    assert len((await _of(store, "u0")).sessions) == 4
    plan = await store.plan(SessionFilter())
    assert sum(app.sessions for app in await store.statistics(plan, SessionFilter())) == 12
    users = await store.biggest_users(plan, SessionFilter(), limit=10)
    assert sum(user.sessions for user in users) == 12
    assert (await store.audit(fix=True)).wrong_type.examples == [key.decode()]
    assert client.get(key) == b"foreign"


async def test_a_user_index_that_was_deleted_and_written_again_by_an_append(
    store: SessionStore, client: redis.Redis
) -> None:
    assert (await _of(store, "u0")).plan.source is Source.USER_INDEX
    client.delete(store.keys.user_sessions("echo", "u0"))
    await _append(store, FIRST)
    page = await _of(store, "u0")
    assert (page.plan.source, len(page.sessions), page.total) == (Source.INDEX, 4, 4)
    assert "doctor --fix" in page.plan.advice
    everything = await store.page(SessionFilter())
    assert (everything.plan.source, everything.plan.advice) == (Source.INDEX, "")
    users = await store.biggest_users(everything.plan, SessionFilter(), limit=10)
    assert sum(user.sessions for user in users) == 12
    assert (await store.index_state()).lacks_user_entries
    await store.audit(fix=True)
    page = await _of(store, "u0")
    assert (page.plan.source, len(page.sessions), page.plan.advice) == (Source.USER_INDEX, 4, "")


async def test_a_purge_of_a_user_whose_index_was_lost(
    store: SessionStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds what `list --user` finds, without reading every key."""
    client.delete(store.keys.user_sessions("echo", "u0"))
    await _append(store, FIRST)
    expected = len((await _of(store, "u0")).sessions)
    monkeypatch.setattr(store, "_scan_names", None)
    assert sum([batch.sessions async for batch in store.purge(None, "u0")]) == expected == 4
    assert (await _of(store, "u0")).sessions == []


async def test_ordinary_writes_do_not_make_the_users_indexes_incomplete(
    store: SessionStore, client: redis.Redis
) -> None:
    new = SessionRef("echo", "new", "s")
    await store.create(new, ttl=600)
    for ref in (new, FIRST):
        await _append(store, ref)
    await store.set_expiry(new, 0)
    await _append(store, new)
    await store.move(new, "another")
    await _append(store, new._replace(user_id="another"))
    assert not (await store.index_state()).lacks_user_entries


async def test_a_purge_of_a_user_needs_no_index_of_the_user(
    store: SessionStore, client: redis.Redis
) -> None:
    client.delete(store.keys.user_sessions("echo", "u0"))  # no append has noticed it
    assert (await _of(store, "u0")).plan.source is Source.USER_INDEX
    assert sum([batch.sessions async for batch in store.purge(user_id="u0")]) == 4
    assert not list(client.scan_iter(f"{store.keys.prefix}session:*:u0:*"))
    assert len((await store.page(SessionFilter())).sessions) == 8


async def test_an_app_that_the_set_of_apps_lacks_is_found(
    store: SessionStore, client: redis.Redis
) -> None:
    client.srem(store.keys.session_apps(), "echo")
    assert (await store.audit()).unindexed.count
    await store.audit(fix=True)
    assert len((await store.page(SessionFilter())).sessions) == 12
