"""What a server reports about itself, even with few permissions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adksess.store.models import ServerInfo
from adksess.store.store import SessionStore
from tests.servers import SERVERS, ServerProcess, redis8_binary, running, server_binary, version


async def check(url: str) -> ServerInfo:
    async with SessionStore(url) as store:
        return await store.check()


@pytest.mark.parametrize("name", SERVERS)
async def test_name_and_version(name: str, tmp_path: Path) -> None:
    binary = server_binary(name)
    with running(binary, tmp_path) as server:
        info = await check(server.url)
    assert info.server == ("Valkey" if name == "valkey" else "Redis")
    assert f"v={info.version}" in version(binary)
    assert (info.mode, info.role, info.persistence) == ("standalone", "master", "none")
    assert info.latency_ms > 0
    assert info.used_memory > 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with running(redis8_binary(), tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"appendonly": "yes"}, {"persistence": "append-only file"}),
        ({"save": "3600 1"}, {"persistence": "snapshots"}),
        (
            {"appendonly": "yes", "save": "3600 1"},
            {"persistence": "append-only file, snapshots"},
        ),
        (
            {"maxmemory": "50mb", "maxmemory-policy": "allkeys-lru"},
            {"maxmemory": 52_428_800, "maxmemory_policy": "allkeys-lru"},
        ),
    ],
)
async def test_settings(
    server: ServerProcess, settings: dict[str, str], expected: dict[str, Any]
) -> None:
    with server.client() as client:
        for name, value in settings.items():
            client.config_set(name, value)
    info = await check(server.url)
    assert {name: getattr(info, name) for name in expected} == expected


async def test_values_without_permission_are_unknown(server: ServerProcess) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "few", "on", ">pw", "+ping")
    info = await check(f"redis://few:pw@127.0.0.1:{server.port}/0")
    assert (info.version, info.role, info.persistence) == ("unknown",) * 3
    assert info.clock_offset == 0


async def test_a_server_without_the_config_command(server: ServerProcess) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "few", "on", ">pw", "+@all", "-config")
    url = f"redis://few:pw@127.0.0.1:{server.port}/0"
    assert (await check(url)).persistence == "unknown"
    with server.client() as client:
        client.config_set("appendonly", "yes")
    assert (await check(url)).persistence == "append-only file"
