"""Two databases of the worker's Valkey: one that others wrote, one that is ours."""

from collections.abc import Iterator

import pytest
import redis


@pytest.fixture
def source(valkey_url: str) -> Iterator[redis.Redis]:
    """A database in which another tool keeps sessions."""
    with redis.Redis.from_url(_database(valkey_url, 7)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def source_url(source: redis.Redis, valkey_url: str) -> str:
    return _database(valkey_url, 7)


@pytest.fixture
def target(valkey_url: str) -> Iterator[redis.Redis]:
    """A database for adksess."""
    with redis.Redis.from_url(_database(valkey_url, 8)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def target_url(target: redis.Redis, valkey_url: str) -> str:
    return _database(valkey_url, 8)


def _database(url: str, number: int) -> str:
    return f"{url.rpartition('/')[0]}/{number}"
