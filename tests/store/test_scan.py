"""Passes over all keys, summaries, and users' indexes."""

import asyncio

import pytest
import redis

from adksess.store.keys import SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.store.filling import fill


@pytest.fixture
async def refs(store: SessionStore) -> list[SessionRef]:
    """Sessions of two apps with three users each."""
    refs = [
        SessionRef(app, f"u{user}", f"s{number}")
        for app in ("one", "two")
        for user in range(3)
        for number in range(4)
    ]
    await asyncio.gather(*(store.create(ref) for ref in refs))
    return refs


async def scanned(store: SessionStore, *only: str | None) -> list[SessionRef]:
    return sorted([one.ref async for batch in store.scan(*only) for one in batch])


async def test_a_scan_finds_each_session_once(store: SessionStore, refs: list[SessionRef]) -> None:
    assert await scanned(store) == sorted(refs)
    assert await scanned(store, "one") == sorted(ref for ref in refs if ref.app_name == "one")
    assert await scanned(store, "one", "u2") == [ref for ref in refs if ref[:2] == ("one", "u2")]
    assert await scanned(store, None, "u2") == sorted(ref for ref in refs if ref.user_id == "u2")
    assert await scanned(store, "three") == []
    names = {ref async for batch in store.scan_refs() for ref in batch}
    assert names == set(refs)


async def test_more_sessions_than_a_batch(store: SessionStore) -> None:
    refs = [SessionRef("demo", "ada", f"s{number}") for number in range(2_345)]
    await asyncio.gather(*(store.create(ref) for ref in refs))
    assert await scanned(store) == sorted(refs)
    assert [one.ref for one in await store.summaries(refs)] == refs


async def test_glob_characters_in_names_are_literal(store: SessionStore) -> None:
    for app in ("a*", "ab", "a?", "[a]"):
        await store.create(SessionRef(app, "u", "s"))
    assert await scanned(store, "a*") == [SessionRef("a*", "u", "s")]
    assert await scanned(store, "a?") == [SessionRef("a?", "u", "s")]
    assert await scanned(store, "[a]") == [SessionRef("[a]", "u", "s")]


async def test_a_summary_has_everything_but_the_history(
    store: SessionStore, valkey_url: str
) -> None:
    ref = SessionRef("demo", "ada", "s")
    await store.create(ref, StateDelta({"a": 1}), ttl=600)
    await store.append(ref, {"id": "e", "timestamp": 5.0}, timestamp=5.0)
    (found,) = await store.summaries([SessionRef("demo", "ada", "missing"), ref])
    assert (found.ref, found.key) == (ref, store.keys.session(ref).decode())
    assert found.tail is not None
    assert (found.tail.state, found.tail.event_count) == ({"a": 1}, 1)
    with redis.Redis.from_url(valkey_url) as client:
        assert found.size_bytes == client.strlen(found.key)
    assert found.ttl_seconds == pytest.approx(600, abs=300)
    assert found.problem is None
    assert not found.is_foreign


async def test_a_summary_says_why_it_has_no_tail(store: SessionStore, valkey_url: str) -> None:
    refs = [SessionRef("demo", "ada", name) for name in ("list", "text", "plain")]
    with redis.Redis.from_url(valkey_url) as client:
        client.rpush(store.keys.session(refs[0]), "x")
        client.set(store.keys.session(refs[1]), "no session")
        client.set(
            store.keys.session(refs[2]),
            '{"app_name": "demo", "user_id": "ada", "session_id": "plain", "state": {"a": 1},'
            ' "events": [], "created_at": "2026-01-01T00:00:00+00:00",'
            ' "updated_at": "2026-01-01T00:00:00+00:00"}',
        )
    of_list, of_text, of_plain = await store.summaries(refs)
    assert (of_list.problem, of_list.tail) == ("its key is not a string", None)
    assert (of_text.problem, of_text.tail) == ("it is not a session document", None)
    assert (of_plain.problem, of_plain.is_foreign) == (None, True)
    assert of_plain.tail is not None
    assert of_plain.tail.state == {"a": 1}


async def test_a_users_list_comes_from_the_index_and_prunes_it(
    store: SessionStore, valkey_url: str
) -> None:
    for name in ("kept", "deleted", "expired"):
        await fill(store, SessionRef("demo", "ada", name), 1)
    await store.create(SessionRef("demo", "bob", "other"))
    index = store.keys.user_sessions("demo", "ada")
    with redis.Redis.from_url(valkey_url) as client:
        client.delete(store.keys.session(SessionRef("demo", "ada", "deleted")))
        client.pexpire(store.keys.session(SessionRef("demo", "ada", "expired")), 0)
        assert client.zcard(index) == 3
        found = await store.user_summaries("demo", "ada")
        assert [one.ref.session_id for one in found] == ["kept"]
        assert client.zrange(index, 0, -1) == [b"kept"]
    assert await store.user_summaries("demo", "unknown") == []


async def test_the_time_is_the_servers(store: SessionStore, valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        before = client.time()
        now = await store.now()
        after = client.time()
    assert before[0] + before[1] / 1e6 <= now <= after[0] + after[1] / 1e6


async def test_keys_are_counted_with_those_of_other_programs(
    store: SessionStore, valkey_url: str
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.set(f"{store.settings.prefix}other", "x")
        assert await store.key_count() == client.dbsize()
