"""redis-py clients for the settings: a single server, a cluster, behind sentinels."""

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

from adksess.store.connection import IDLE_SECONDS, connection_class
from adksess.store.errors import InvalidURL
from adksess.store.settings import TIMEOUT, Settings

Client: TypeAlias = "Redis | RedisCluster"

_ONE_SERVER, _CLUSTER = ("standalone",), ("cluster",)
_CLUSTER_POOL = 10_000
"""A cluster's pool fails above its limit; RedisClient waits, at a much lower one."""


def new_client(settings: Settings) -> Client:
    """Return a redis-py client for the settings. It connects at its first command.

    Raises InvalidURL for an option that redis-py does not know.
    """
    scheme = settings.scheme
    parts = urlsplit(settings.url)
    login, at, hosts = parts.netloc.rpartition("@")
    options = dict(settings.options)
    options.pop("decode_responses", None)  # the store reads bytes
    options.pop("health_check_interval", None)  # redis-py takes no fractions in a URL
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
        kwargs["health_check_interval"] = settings.number(
            "health_check_interval", IDLE_SECONDS, may_be_zero=True
        )
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


async def close(client: Client) -> None:
    """Close a client's connections, those to sentinels included, which redis-py leaves open."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


async def drop_connections(client: Client) -> None:
    """Let further calls connect again, since another server may have the address now.

    Connections in use are dropped at their release. A cluster's client follows it by itself.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        if hasattr(pool, "update_active_connections_for_reconnect"):  # since redis-py 8
            await pool.update_active_connections_for_reconnect()
        await pool.disconnect(inuse_connections=False)


def _single_client(kwargs: dict[str, Any]) -> Client:
    kwargs.pop("max_connections", None)  # RedisClient's semaphore applies it
    # One timeout covers the whole call, in RedisClient. redis-py's own would cost a task for each
    # write, through the wait_for() of Python 3.11, which loses cancellations.
    kwargs["socket_timeout"] = None
    kwargs["connection_class"] = connection_class(
        kwargs.get("connection_class", Connection), _ONE_SERVER
    )
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
    shared["connection_class"] = connection_class(shared["connection_class"], _CLUSTER)
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
    kwargs["connection_class"] = connection_class(managed, _ONE_SERVER)
    sentinel = Sentinel(
        _addresses(hosts, 26379), sentinel_kwargs={**shared, **sentinel_options}, **kwargs
    )
    return cast("Client", sentinel.master_for(service))


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    parsed = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(p.hostname or "localhost", p.port or default_port) for p in parsed]
