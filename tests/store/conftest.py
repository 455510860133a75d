"""A store of its own for each test, on a real server."""

import uuid
from collections.abc import AsyncIterator

import pytest

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore

REF = SessionRef("demo", "ada", "s1")


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[SessionStore]:
    async with SessionStore(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as store:
        yield store
