"""Resolving names: ids, prefixes of ids, app/user/id and whole keys."""

import asyncio

import pytest
import redis

from adksess.store.keys import MIN_PREFIX, SessionRef
from adksess.store.store import SessionStore

ADA = SessionRef("demo", "ada", "8e42aa01")
BOB = SessionRef("demo", "bob", "8e42bb02")
SAME = SessionRef("other", "ada", "8e42aa01")
SHORT = SessionRef("demo", "ada", "8e42")
SLASHES = SessionRef("a/b", "c", "d/e")
COLON = SessionRef("a:b", "50%", "x:y")


@pytest.fixture(autouse=True)
async def _stored(store: SessionStore) -> None:
    await asyncio.gather(*(store.create(ref) for ref in (ADA, BOB, SAME, SLASHES, COLON)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("8e42bb02", [BOB]),
        ("8e42bb", [BOB]),
        ("8e42", [ADA, BOB, SAME]),
        ("8e42aa01", [ADA, SAME]),
        ("demo/ada/8e42aa01", [ADA]),
        ("session:demo:ada:8e42aa01", [ADA]),
        ("a/b/c/d/e", [SLASHES]),
        ("d/e", [SLASHES]),
        ("x:y", [COLON]),
        ("a:b/50%/x:y", [COLON]),
        ("session:a%3Ab:50%25:x%3Ay", [COLON]),
        ("8e42cc", []),
        ("demo/ada/8e42", []),
        ("*", []),
        ("8e4?aa01", []),
        ("", []),
        ("\ud800", []),
    ],
)
async def test_a_name(store: SessionStore, name: str, expected: list[SessionRef]) -> None:
    if name.startswith("session:"):
        name = store.settings.prefix + name
    (found,) = await store.find([name])
    assert sorted(found) == sorted(expected)


async def test_a_whole_id_wins_over_longer_ones(store: SessionStore) -> None:
    await store.create(SHORT)
    assert await store.find(["8e42"]) == [[SHORT]]


async def test_a_prefix_needs_some_letters(store: SessionStore) -> None:
    assert await store.find([ADA.session_id[: MIN_PREFIX - 1]]) == [[]]
    assert await store.find([BOB.session_id[: MIN_PREFIX + 1]]) == [[BOB]]


async def test_an_exact_name_is_not_a_prefix(store: SessionStore) -> None:
    names = ["8e42bb", "8e42bb02", "demo/bob/8e42bb02"]
    assert await store.find(names, exact=True) == [[], [BOB], [BOB]]


async def test_many_names_are_answered_in_their_order(store: SessionStore) -> None:
    names = ["nothing", "8e42bb", "demo/ada/8e42aa01", "8e42bb", *map(str, range(2_000))]
    found = await store.find(names)
    assert found[:4] == [[], [BOB], [ADA], [BOB]]
    assert not any(found[4:])
    assert await store.find([]) == []


async def test_an_expired_session_is_remembered_for_a_while(
    store: SessionStore, valkey_url: str
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        now = client.time()[0]
        index = store.keys.user_sessions(*ADA.user)
        client.zadd(index, {"gone": now - 60, "later": now + 60})
    assert await store.expired("gone") == [(ADA.user, now - 60)]
    assert await store.expired("later") == []
    assert await store.expired(ADA.session_id) == []
    assert await store.expired("never") == []
