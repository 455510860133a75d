"""Purging: every session and its index entry are deleted, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import redis

from adksess.store import recency
from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore
from tests.store.indexed import Spec, write


@pytest.fixture(params=["valkey_url", "redis_url", "redis8_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def fill(store: SessionStore, users: int, sessions: int, app: str = "demo") -> None:
    await asyncio.gather(
        *(
            store.create(SessionRef(app, f"user{user}", f"s{number}"))
            for user in range(users)
            for number in range(sessions)
        )
    )


async def purged(store: SessionStore, *chosen: str | None) -> tuple[int, int, list[str]]:
    """Purge. Returns the number of sessions, their bytes, and the ids of unreadable ones."""
    batches = [batch async for batch in store.purge(*chosen)]
    unreadable = [session.ref.session_id for batch in batches for session in batch.unreadable]
    return sum(b.sessions for b in batches), sum(b.size_bytes for b in batches), unreadable


def left(client: redis.Redis, store: SessionStore) -> set[bytes]:
    return set(client.scan_iter(match=f"{store.settings.prefix}*", count=1_000))


async def test_many_users_and_many_sessions_of_one(store: SessionStore, client: Any) -> None:
    await fill(store, users=300, sessions=2)
    await fill(store, users=1, sessions=2_345, app="other")
    size = sum(client.strlen(key) for key in left(client, store) if b":session:" in key)
    assert await purged(store) == (2_945, size, [])
    assert left(client, store) == set()


async def test_names_with_separators_escapes_and_letters_of_all_kinds(
    store: SessionStore, client: Any
) -> None:
    for names in (
        ("a:b", "c%d", "e:f%"),
        ("a", "ключ", "会话"),
        ("*", "[x]", "?:%3A"),
        ("", "", ""),
    ):
        await store.create(SessionRef(*names))
    assert (await purged(store))[0] == 4
    assert left(client, store) == set()


async def test_only_the_selected_sessions(store: SessionStore, client: Any) -> None:
    for app in ("demo", "demo2", "demo:2"):
        await fill(store, users=2, sessions=2, app=app)
    assert (await purged(store, "demo", "user1"))[0] == 2
    assert (await purged(store, None, "user0"))[0] == 6
    assert (await purged(store, "demo"))[0] == 0
    assert (await purged(store, "demo2"))[0] == 2
    assert {session.ref async for batch in store.scan() for session in batch} == {
        SessionRef("demo:2", "user1", "s0"),
        SessionRef("demo:2", "user1", "s1"),
    }
    assert len([key for key in left(client, store) if b"user_sessions:" in key]) == 1


async def test_indexed_values_that_are_not_sessions_are_kept(
    store: SessionStore, client: Any
) -> None:
    await fill(store, users=1, sessions=4)
    keys = [store.keys.session(SessionRef("demo", "user0", f"s{n}")) for n in range(4)]
    client.set(keys[0], "overwritten")
    client.delete(keys[1])
    client.hset(keys[1], "a", "b")
    client.delete(keys[2])
    size = client.strlen(keys[3])
    deleted, freed, unreadable = await purged(store)
    assert (deleted, freed, sorted(unreadable)) == (1, size, ["s0", "s1"])
    index = store.keys.user_sessions("demo", "user0")
    recency, apps = store.keys.app_sessions("demo"), store.keys.session_apps()
    assert left(client, store) == {keys[0], keys[1], index, recency, apps}
    assert sorted(client.zrange(recency, 0, -1)) == [b"user0:s0", b"user0:s1"]
    assert sorted(client.zrange(index, 0, -1)) == [b"s0", b"s1"], "entries of kept keys are kept"


async def test_sessions_in_no_index_are_purged_too(store: SessionStore, client: Any) -> None:
    await fill(store, users=2, sessions=1)
    client.delete(store.keys.user_sessions("demo", "user0"))
    client.set(store.keys.session(SessionRef("demo", "user1", "plain")), '{"events":[],"state":{}}')
    assert (await purged(store))[0] == 3
    assert left(client, store) == set()


async def test_ten_thousand_sessions_of_one_user_in_no_index(
    store: SessionStore, client: Any
) -> None:
    await fill(store, users=1, sessions=1)
    value = client.get(store.keys.session(SessionRef("demo", "user0", "s0")))
    refs = [SessionRef("demo", "user0", f"s{number}") for number in range(10_000)]
    client.mset({store.keys.session(ref): value for ref in refs})
    assert (await purged(store))[0] == 10_000
    assert left(client, store) == set()


async def test_a_session_that_a_scan_finds_twice_counts_once(
    store: SessionStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, users=1, sessions=2)
    client.delete(store.keys.user_sessions("demo", "user0"))
    refs = [SessionRef("demo", "user0", f"s{n}") for n in range(2)]
    size = sum(client.strlen(store.keys.session(ref)) for ref in refs)

    async def scan_twice(*_: object) -> AsyncIterator[dict[bytes, SessionRef]]:
        for _ in range(2):
            yield {store.keys.session(ref): ref for ref in refs}

    monkeypatch.setattr(store, "_scan_names", scan_twice)
    assert await purged(store) == (2, size, [])
    assert left(client, store) == set()


async def test_an_id_that_is_not_text_names_no_session(store: SessionStore, client: Any) -> None:
    await fill(store, users=1, sessions=1)
    key = store.keys.session(SessionRef("demo", "user0", "s0"))
    foreign = key[:-2] + b"\xff"
    client.copy(key, foreign)
    client.zadd(store.keys.user_sessions("demo", "user0"), {b"\xff": "+inf"})
    assert (await purged(store))[0] == 1
    assert left(client, store) == {foreign}


async def test_an_index_of_another_type_is_skipped(store: SessionStore, client: Any) -> None:
    await fill(store, users=1, sessions=1)
    foreign = store.keys.user_sessions("other", "tool")
    client.set(foreign, "text")
    assert (await purged(store))[0] == 1
    assert left(client, store) == {foreign}


async def test_purge_by_the_recency_index(
    store: SessionStore, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    await fill(store, users=20, sessions=3)
    await fill(store, users=2, sessions=3, app="other")
    foreign = store.keys.session(SessionRef("demo", "user0", "foreign"))
    client.set(foreign, '{"events": [], "state": {}}')
    await store.audit(fix=True)
    client.set(foreign.replace(b"foreign", b"broken"), "no session")
    assert (await store.index_state()).is_used

    assert (await purged(store, "demo", "user1"))[0] == 3
    assert (await purged(store, "demo"))[::2] == (19 * 3 + 1, [])
    assert (await store.index_state()).sizes == {"other": 6}
    assert (await purged(store))[::2] == (6, ["broken"])
    kinds = {key.removeprefix(store.settings.prefix.encode()) for key in left(client, store)}
    assert kinds == {b"session_apps", b"session_index", b"session:demo:user0:broken"}


async def test_a_purge_of_an_app_deletes_sessions_that_are_updated_meanwhile(
    store: SessionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recency, "SMALL", 0)
    monkeypatch.setattr(recency, "PAGE", 1)
    await write(store, [Spec("demo", "ada", f"s{number}", 60 + number) for number in range(4)])
    monkeypatch.setattr(store, "index_entries", partial(store.index_entries, first=1))
    number = 0
    async for _ in store.purge("demo"):
        for ref in [SessionRef("demo", "ada", name) for name in ("s0", "s3")]:
            if number == 0 and await store.summaries([ref]):
                event = {"id": "e", "timestamp": time.time()}
                await store.append(ref, event, timestamp=event["timestamp"])
        number += 1
    assert number > 1
    assert [one async for batch in store.scan("demo") for one in batch] == []
