"""A store of its own for each test, on a real server, and a client of that server."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore

REF = SessionRef("demo", "ada", "s1")


@pytest.fixture
def url(valkey_url: str) -> str:
    """The server; some modules override this, to test every kind."""
    return valkey_url


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(url) as client:
        yield client


@pytest.fixture
async def store(url: str) -> AsyncIterator[SessionStore]:
    async with SessionStore(url, prefix=f"t{uuid.uuid4().hex}:") as store:
        yield store
