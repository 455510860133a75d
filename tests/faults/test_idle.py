"""Connections that a load balancer has dropped silently while they were idle."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import redis

from adksess import RedisSessionService
from adksess.store.connect import new_client
from adksess.store.settings import Settings
from tests.events import event, texts
from tests.faults.proxy import Proxy, proxy

APP, USERS = "idle", 6


@asynccontextmanager
async def balancer(valkey_url: str) -> AsyncIterator[Proxy]:
    port = urlsplit(valkey_url).port
    assert port
    async with proxy(port) as between:
        yield between


@pytest.mark.parametrize("users", [1, USERS])
async def test_no_call_fails_on_frozen_connections(valkey_url: str, users: int) -> None:
    async with balancer(valkey_url) as between:
        url = f"{between.url}?socket_timeout=4&health_check_interval=0.05"
        async with RedisSessionService(url, prefix="idle:") as service:
            creating = (
                service.create_session(app_name=APP, user_id=f"u{number}")
                for number in range(users)
            )
            sessions = await asyncio.gather(*creating)
            between.freeze()
            await asyncio.sleep(0.1)
            before = between.opened
            await asyncio.gather(
                *(service.append_event(session, event("on time")) for session in sessions)
            )
            assert between.opened - before == users
            for session in sessions:
                assert texts(session) == ["on time"]
                found = await service.get_session(
                    app_name=APP, user_id=session.user_id, session_id=session.id
                )
                assert found == session
                await service.delete_session(
                    app_name=APP, user_id=session.user_id, session_id=session.id
                )


async def test_a_busy_connection_is_not_checked(valkey_url: str) -> None:
    async with balancer(valkey_url) as between:
        url = f"{between.url}?health_check_interval=60"
        async with RedisSessionService(url) as service:
            await service.store.key_count()
            before = between.requests
            for _ in range(10):
                await service.store.key_count()
            assert between.requests - before == 10


async def test_idle_connections_are_checked_by_default(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        async with RedisSessionService(f"{valkey_url}?client_name=checked") as service:
            await service.store.key_count()
            pings = client.info("commandstats").get("cmdstat_ping", {"calls": 0})["calls"]
            idle_since = time.monotonic()
            while time.monotonic() < idle_since + 1.1:
                await asyncio.sleep(0.05)
            await service.store.key_count()
            assert client.info("commandstats")["cmdstat_ping"]["calls"] == pings + 1


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{port}", "redis://127.0.0.1:{port}?socket_keepalive=0"]
)
async def test_keepalive_is_on_unless_it_is_switched_off(valkey_url: str, url: str) -> None:
    settings = Settings.parse(url.format(port=urlsplit(valkey_url).port))
    client = new_client(settings)
    connection = await client.connection_pool.get_connection()
    sock = connection._writer.get_extra_info("socket")
    assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is ("=0" not in url)
    await client.connection_pool.release(connection)
    await client.aclose()
