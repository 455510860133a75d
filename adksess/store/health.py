"""How a Redis server is: reachable, which, how fast, how durable."""

import time
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.models import ServerInfo

_PINGS = 3


async def check(server: RedisClient) -> ServerInfo:
    """Ping the server and read its INFO. Raises ServerUnavailable."""

    async def run(client: Client, attempt: int) -> ServerInfo:
        await client.ping()  # connects
        waits = []
        for _ in range(_PINGS):
            started = time.perf_counter()
            await client.ping()
            waits.append(time.perf_counter() - started)
        return _describe(await _info(client), await _snapshots(client), min(waits) * 1000)

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


async def _snapshots(client: Client) -> str | None:
    """When the server takes snapshots, empty for never, None where it does not say."""
    if isinstance(client, RedisCluster):
        return None
    try:
        return str((await client.config_get("save")).get("save", ""))
    except ResponseError:  # not permitted, or a managed Redis without CONFIG
        return None


def _describe(info: dict[str, Any], snapshots: str | None, latency_ms: float) -> ServerInfo:
    kinds = ["append-only file"] if info.get("aof_enabled") else []
    if snapshots:
        kinds.append("snapshots")
    unsure = not info or (snapshots is None and not kinds)
    redis_version = str(info.get("redis_version", "unknown"))
    return ServerInfo(
        latency_ms=latency_ms,
        server="Valkey" if "valkey_version" in info else "Redis",
        version=str(info.get("valkey_version", redis_version)),
        redis_version=redis_version,
        mode=str(info.get("server_mode") or info.get("redis_mode", "unknown")),
        role=str(info.get("role", "unknown")),
        persistence="unknown" if unsure else ", ".join(kinds) or "none",
        maxmemory_policy=str(info.get("maxmemory_policy", "unknown")),
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
    )
