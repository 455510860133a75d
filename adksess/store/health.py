"""How a Redis server is: reachable, which, how fast, how durable."""

import time
from typing import Any

from redis.exceptions import NoPermissionError

from adksess.store.client import Client, Server
from adksess.store.records import ServerInfo

_PINGS = 3


async def check(server: Server) -> ServerInfo:
    """Ping the server and read its INFO. Raises ServerUnavailable."""

    async def run(client: Client, attempt: int) -> ServerInfo:
        await client.ping()  # connects
        waits = []
        for _ in range(_PINGS):
            started = time.perf_counter()
            await client.ping()
            waits.append(time.perf_counter() - started)
        return _describe(await _info(client), min(waits) * 1000)

    return await server.call(run)


async def _info(client: Client) -> dict[str, Any]:
    """INFO, of any one node of a cluster; empty where the user may not ask."""
    try:
        info: dict[str, Any] = await client.info()
    except NoPermissionError:
        return {}
    if info and all(isinstance(value, dict) for value in info.values()):
        nodes = [value for value in info.values() if "redis_version" in value]
        info = nodes[0] if nodes else info
    return info


def _describe(info: dict[str, Any], latency_ms: float) -> ServerInfo:
    is_valkey = "valkey_version" in info
    persistence = []
    if info.get("aof_enabled"):
        persistence.append("append-only file")
    return ServerInfo(
        latency_ms=latency_ms,
        server="Valkey" if is_valkey else "Redis",
        version=str(info.get("valkey_version") or info.get("redis_version") or "unknown"),
        mode=str(info.get("server_mode") or info.get("redis_mode", "unknown")),
        role=str(info.get("role", "unknown")),
        persistence=", ".join(persistence) or "snapshots or none",
        maxmemory_policy=str(info.get("maxmemory_policy", "unknown")),
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
    )
