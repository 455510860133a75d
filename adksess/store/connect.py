"""redis-py clients for the settings: a single server, a cluster, behind sentinels."""

import os
import ssl
from pathlib import Path
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
from adksess.store.credentials import PasswordFile, load_provider
from adksess.store.errors import InvalidURL
from adksess.store.settings import TIMEOUT, Settings

Client: TypeAlias = "Redis | RedisCluster"

_ONE_SERVER, _CLUSTER = ("standalone",), ("cluster",)
_CERT_REQS = ("required", "optional", "none", ssl.CERT_REQUIRED, ssl.CERT_OPTIONAL, ssl.CERT_NONE)
_CLUSTER_POOL = 10_000
"""A cluster's pool fails above its limit; RedisClient waits, at a much lower one."""


def new_client(settings: Settings) -> Client:
    """Return a redis-py client for the settings. It connects at its first command.

    Raises InvalidURL for an option that redis-py does not know, and for files that do not exist.
    """
    _check_tls_options(settings)
    parts = urlsplit(settings.url)
    login, _, hosts = parts.netloc.rpartition("@")
    is_sentinel = settings.scheme.endswith("+sentinel")
    try:
        kwargs = _parse(settings, login, hosts.split(",")[0], "" if is_sentinel else parts.path)
        if settings.scheme.endswith("+cluster"):
            return _cluster_client(hosts, kwargs, tls=settings.has_tls)
        if is_sentinel:
            return _sentinel_client(hosts, parts.path.strip("/"), kwargs, tls=settings.has_tls)
        return _single_client(kwargs, () if settings.single_slot else _ONE_SERVER)
    except InvalidURL:
        raise
    except (TypeError, ValueError, exceptions.RedisError) as exc:
        raise InvalidURL(_explain_options(exc, settings)) from exc


def _parse(settings: Settings, login: str, host: str, path: str) -> dict[str, Any]:
    """Return the arguments of redis-py's classes for the settings and one host."""
    texts = {name: value for name, value in settings.options.items() if isinstance(value, str)}
    texts.pop("health_check_interval", None)  # redis-py accepts no fractions in a URL
    base = "unix" if settings.scheme == "unix" else "rediss" if settings.has_tls else "redis"
    at = "@" if login else ""
    kwargs: dict[str, Any] = dict(parse_url(f"{base}://{login}{at}{host}{path}?{urlencode(texts)}"))
    kwargs |= {name: value for name, value in settings.options.items() if name not in texts}
    kwargs.pop("decode_responses", None)  # the store reads bytes
    kwargs.setdefault("socket_timeout", TIMEOUT)
    kwargs.setdefault("socket_connect_timeout", kwargs["socket_timeout"])
    kwargs["retry"] = Retry(NoBackoff(), 0)  # RedisClient retries, and tells the scripts so
    if base != "unix":
        kwargs.setdefault("socket_keepalive", True)
    kwargs["health_check_interval"] = settings.number(
        "health_check_interval", IDLE_SECONDS, may_be_zero=True
    )
    _add_credentials(kwargs)
    return kwargs


def _add_credentials(kwargs: dict[str, Any]) -> None:
    """Replace `password_file`, and a `credential_provider` that is a name, by a provider."""
    path = kwargs.pop("password_file", None)
    provider = kwargs.get("credential_provider")
    if (path and provider) or ((path or provider) and "password" in kwargs):
        raise InvalidURL(
            "The Redis URL has more than one login: keep one of password, password_file and "
            "credential_provider."
        )
    if path:
        kwargs["credential_provider"] = PasswordFile(path, kwargs.pop("username", None))
    elif isinstance(provider, str):
        kwargs["credential_provider"] = load_provider(provider)


def _check_tls_options(settings: Settings) -> None:
    """Raise InvalidURL for TLS options that redis-py rejects late, or without saying why."""
    options = settings.options
    if "ssl" in options and not settings.scheme.endswith("+sentinel"):
        raise InvalidURL(
            "ssl is not an option of a Redis URL: write rediss:// for TLS, redis:// without."
        )
    if "ssl_cert_reqs" in options and options["ssl_cert_reqs"] not in _CERT_REQS:
        raise InvalidURL(
            f"ssl_cert_reqs={options['ssl_cert_reqs']} in the Redis URL is not known: use required "
            "(default), optional or none."
        )
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if (path := options.get(name)) is not None and not os.access(path, os.R_OK):
            problem = "cannot be read" if Path(path).exists() else "does not exist"
            raise InvalidURL(f"{name} in the Redis URL names a file that {problem}: {path}")


def _explain_options(exc: Exception, settings: Settings) -> str:
    """Return why redis-py rejects the options, without their values, which may be secrets."""
    named = next((name for name in settings.options if f"'{name}'" in str(exc)), None)
    if named and isinstance(exc, TypeError):
        return f"redis-py has no option {named}: correct its name in the Redis URL."
    if named:
        return f"redis-py does not accept the value of {named} in the Redis URL: correct it."
    known = ", ".join(sorted(settings.options)) or "none"
    return (
        f"redis-py does not accept the options in the Redis URL (given: {known}): correct "
        "their names and values."
    )


async def close(client: Client) -> None:
    """Close a client's connections, and those to sentinels, which redis-py leaves open."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


async def drop_connections(client: Client) -> None:
    """Make later calls connect again, since another server may have the address now.

    Connections in use are dropped at their release. A cluster's client follows it by itself.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        if hasattr(pool, "update_active_connections_for_reconnect"):  # since redis-py 8
            await pool.update_active_connections_for_reconnect()
        await pool.disconnect(inuse_connections=False)


def _single_client(kwargs: dict[str, Any], modes: tuple[str, ...]) -> Client:
    kwargs.pop("max_connections", None)  # RedisClient's semaphore applies it
    # One timeout covers the whole call, in RedisClient. redis-py's own would cost a task for each
    # write, through the wait_for() of Python 3.11, which loses cancellations.
    kwargs["socket_timeout"] = None
    kwargs["connection_class"] = connection_class(kwargs.get("connection_class", Connection), modes)
    pool = ConnectionPool(**kwargs)
    pool.make_connection()  # does not connect, but checks every option
    return Redis.from_pool(pool)


def _cluster_client(hosts: str, kwargs: dict[str, Any], *, tls: bool) -> Client:
    for name in ("host", "port", "db", "connection_class"):
        kwargs.pop(name, None)
    kwargs["max_connections"] = _CLUSTER_POOL
    kwargs["reinitialize_steps"] = 0  # 0 = do not close all connections on every fifth MOVED
    nodes = [ClusterNode(host, port) for host, port in _addresses(hosts, 6379)]
    client = RedisCluster(startup_nodes=nodes, ssl=tls, **kwargs)
    shared = client.get_connection_kwargs()  # of the nodes that will be found
    kind = connection_class(shared["connection_class"], _CLUSTER)
    shared["connection_class"] = kind
    for node in client.nodes_manager.startup_nodes.values():
        node.connection_class = kind
    return client


def _sentinel_client(hosts: str, service: str, kwargs: dict[str, Any], *, tls: bool) -> Client:
    for name in ("host", "port", "connection_class", "max_connections", "ssl"):
        kwargs.pop(name, None)
    logins = {
        name.removeprefix("sentinel_"): kwargs.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in kwargs
    }
    shared = {k: v for k, v in kwargs.items() if k.startswith(("socket_", "ssl_", "retry"))}
    managed = SentinelManagedSSLConnection if tls else SentinelManagedConnection
    kwargs["connection_class"] = connection_class(managed, _ONE_SERVER)
    sentinel = Sentinel(
        _addresses(hosts, 26379), sentinel_kwargs={**shared, **logins, "ssl": tls}, **kwargs
    )
    return cast("Client", sentinel.master_for(service))


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    parsed = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(p.hostname or "localhost", p.port or default_port) for p in parsed]
