"""Check a Redis server: version, role, latency, persistence, memory."""

import time
from dataclasses import replace
from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.models import ServerInfo

_PINGS = 3


async def check(client: RedisClient) -> ServerInfo:
    """Ping the server and read its INFO. Raises ServerUnavailable."""

    async def run(redis: Client, attempt: int) -> ServerInfo:
        await redis.ping()  # connects
        waits = []
        for _ in range(_PINGS):
            started = time.perf_counter()
            await redis.ping()
            waits.append(time.perf_counter() - started)
        offset = await _clock_offset(redis)
        info, snapshots = await _info(redis), await _snapshots(redis)
        return replace(_describe(info, snapshots, min(waits) * 1000), clock_offset=offset)

    return await client.call(run)


async def _clock_offset(redis: Client) -> float:
    """Seconds by which the clock of the server, or of one node, is ahead of this machine's."""
    before = time.time()
    try:
        answer: Any = await redis.time()
    except ResponseError:  # not permitted
        return 0.0
    after = time.time()
    if isinstance(answer, dict):
        answer = next(iter(answer.values()))
    seconds, microseconds = answer
    return float(seconds + microseconds / 1e6 - (before + after) / 2)


async def _info(redis: Client) -> dict[str, Any]:
    """INFO of one node; empty if the user lacks the permission."""
    try:
        info: dict[str, Any] = await redis.info()
    except NoPermissionError:
        return {}
    if info and all(isinstance(value, dict) for value in info.values()):
        nodes = [value for value in info.values() if "redis_version" in value]
        info = nodes[0] if nodes else info
    return info


async def _snapshots(redis: Client) -> str | None:
    """The `save` setting, empty for never, None if the server does not report it."""
    if isinstance(redis, RedisCluster):
        return None
    try:
        return str((await redis.config_get("save")).get("save", ""))
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
