"""The commands on a real, empty Valkey."""

import time
from collections.abc import Iterator

import pytest
import redis

from tests.cli.sessions import store_session
from tests.conftest import Run


@pytest.fixture
def database(valkey_url: str) -> Iterator[redis.Redis]:
    """The worker's own Valkey, emptied before the test."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def run(cli: Run, database: redis.Redis, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `adksess ARGS` on that server, which the environment names."""
    monkeypatch.setenv("ADKSESS_REDIS_URL", valkey_url)
    monkeypatch.setenv("NO_COLOR", "1")
    return cli


@pytest.fixture
def three(valkey_url: str, database: redis.Redis) -> None:
    """Two sessions of a user with state, and one that never expires."""
    store_session(valkey_url, "demo", "ada", "ada-first", user_state={"name": "Ada"})
    store_session(valkey_url, "demo", "ada", "ada-second")
    store_session(valkey_url, "other", "bob", "bob-first", ttl=0)


@pytest.fixture
def used_two_hours_ago(
    valkey_url: str, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Two sessions whose documents have the same sizes in every run, and a known time zone."""
    before = int(time.time()) - 7_200 + 0.5
    state = {"name": "Ada"}
    store_session(valkey_url, "demo", "ada", "chat-1", user_state=state, ttl=93_000, now=before)
    store_session(valkey_url, "weather", "bob", "chat-2", ttl=0, now=before - 60)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
