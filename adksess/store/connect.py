"""redis-py clients for the settings: a single server, a cluster, behind sentinels."""

import asyncio
from functools import cache
from typing import Any, TypeAlias, cast
from urllib.parse import urlencode, urlsplit

from redis import exceptions
from redis.asyncio import ConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff

from adksess.store import cancellation
from adksess.store.errors import InvalidURL
from adksess.store.settings import TIMEOUT, Settings

try:  # not part of redis-py's documented API
    from redis.connection import HiredisRespSerializer
except ImportError:
    HiredisRespSerializer = None  # type: ignore[assignment, misc]

Client: TypeAlias = "Redis | RedisCluster"

_CLUSTER_POOL = 10_000
"""A cluster's pool fails above its limit; RedisClient waits, at a much lower one."""

_WRITE_BUFFER = 2**40


def new_client(settings: Settings) -> Client:
    """Return a redis-py client for the settings. It connects at its first command.

    Raises InvalidURL for an option that redis-py does not know.
    """
    scheme = settings.scheme
    parts = urlsplit(settings.url)
    login, at, hosts = parts.netloc.rpartition("@")
    options = dict(settings.options)
    options.pop("decode_responses", None)  # the store reads bytes
    sentinel_options = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in options
    }
    base = "unix" if scheme == "unix" else "rediss" if scheme.startswith("rediss") else "redis"
    path = "" if scheme == "redis+sentinel" else parts.path
    first = hosts.split(",")[0]
    try:
        kwargs: dict[str, Any] = dict(
            parse_url(f"{base}://{login}{at}{first}{path}?{urlencode(options)}")
        )
        kwargs.setdefault("socket_timeout", TIMEOUT)
        kwargs.setdefault("socket_connect_timeout", kwargs["socket_timeout"])
        kwargs["retry"] = Retry(NoBackoff(), 0)  # RedisClient retries, and tells the scripts so
        if scheme != "unix":
            kwargs.setdefault("socket_keepalive", True)
        if settings.is_cluster:
            return _cluster_client(hosts, kwargs, tls=base == "rediss")
        if scheme == "redis+sentinel":
            return _sentinel_client(hosts, parts.path.strip("/"), kwargs, sentinel_options)
        return _single_client(kwargs)
    except (TypeError, ValueError, exceptions.RedisError) as exc:
        known = ", ".join(sorted(settings.options)) or "none"
        raise InvalidURL(
            f"redis-py does not accept the options in the Redis URL (given: {known}): correct "
            "their names and values."
        ) from exc


def sentinels(client: Client) -> list[Redis]:
    """Return the clients of a sentinel client's sentinels, which redis-py does not close."""
    pool = getattr(client, "connection_pool", None)
    return list(pool.sentinel_manager.sentinels) if isinstance(pool, SentinelConnectionPool) else []


def _single_client(kwargs: dict[str, Any]) -> Client:
    kwargs.pop("max_connections", None)  # RedisClient's semaphore applies it
    # One timeout covers the whole call, in RedisClient. redis-py's own would cost a task for each
    # write, through the wait_for() of Python 3.11, which loses cancellations.
    kwargs["socket_timeout"] = None
    kwargs["connection_class"] = _connection_class(kwargs.get("connection_class", Connection))
    pool = ConnectionPool(**kwargs)
    pool.make_connection()  # connects to nothing, but checks every option
    return Redis.from_pool(pool)


def _cluster_client(hosts: str, kwargs: dict[str, Any], *, tls: bool) -> Client:
    for name in ("host", "port", "db", "connection_class"):
        kwargs.pop(name, None)
    kwargs["max_connections"] = _CLUSTER_POOL
    kwargs["reinitialize_steps"] = 0  # 0 = do not close all connections on every fifth MOVED
    nodes = [ClusterNode(host, port) for host, port in _addresses(hosts, 6379)]
    client = RedisCluster(startup_nodes=nodes, ssl=tls, **kwargs)
    shared = client.get_connection_kwargs()  # of all nodes, those found later included
    shared["connection_class"] = _connection_class(shared["connection_class"])
    return client


def _sentinel_client(
    hosts: str, service: str, kwargs: dict[str, Any], sentinel_options: dict[str, str]
) -> Client:
    for name in ("host", "port", "connection_class", "max_connections"):
        kwargs.pop(name, None)
    shared = {k: v for k, v in kwargs.items() if k.startswith(("socket_", "ssl", "retry"))}
    managed = (
        SentinelManagedSSLConnection if kwargs.pop("ssl", False) else SentinelManagedConnection
    )
    kwargs["connection_class"] = _connection_class(managed)
    sentinel = Sentinel(
        _addresses(hosts, 26379), sentinel_kwargs={**shared, **sentinel_options}, **kwargs
    )
    return cast("Client", sentinel.master_for(service))


class _Completing:
    """A mixin for redis-py's connections: a cancelled write waits for its reply all the same."""

    async def _connect(self) -> None:
        await super()._connect()  # type: ignore[misc]
        # Commands are in memory in any case. With a limit, the wait for a large one to be sent
        # could be cancelled, and redis-py would close the connection: stored or not, who knows.
        self._writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)  # type: ignore[attr-defined]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. All errors but those that are replies close the connection."""
        options["disconnect_on_error"] = False
        while True:
            try:
                return await super().read_response(*args, **options)  # type: ignore[misc]
            except asyncio.CancelledError as exc:
                if not cancellation.postpone(exc):
                    await self.disconnect(nowait=True)  # type: ignore[attr-defined]
                    raise
            except exceptions.ResponseError:
                raise
            except BaseException:
                await self.disconnect(nowait=True)  # type: ignore[attr-defined]
                raise


@cache  # a client is made for each event loop, and Runner.run() starts one for each call
def _connection_class(kind: Any) -> Any:
    """Return a connection class that completes writes and packs commands with hiredis.

    redis-py packs with hiredis in its blocking client alone; it saves 5 % of an append.
    """
    methods: dict[str, Any] = {}
    if HiredisRespSerializer is not None:
        pack = HiredisRespSerializer().pack
        methods["pack_command"] = lambda self, *words: pack(*words)
    return type(kind.__name__, (_Completing, kind), methods)


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    parsed = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(p.hostname or "localhost", p.port or default_port) for p in parsed]
