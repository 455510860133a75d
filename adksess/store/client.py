"""The way to Redis: a client for each event loop, bounded retries, and errors in plain words."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

from redis import exceptions
from redis.asyncio import ConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer

from adksess.store.errors import AdksessError, InvalidURL, ServerUnavailable, WrongType
from adksess.store.settings import Settings

Client: TypeAlias = "Redis | RedisCluster"
T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds that one call may take, its retries included, unless the URL has socket_timeout."""

MAX_CONNECTIONS = 50
"""Connections for each event loop; more concurrent calls wait for their turn."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_REFUSALS = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.AuthenticationWrongNumberOfArgsError,
    exceptions.NoPermissionError,
)
_TRANSIENT = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,  # a primary that was just demoted
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    exceptions.RedisClusterException,  # no node reachable, a slot not covered
)
# redis-py 8.1 closes a cluster's connection that another task has just begun to open
_TRANSIENT_ON_A_CLUSTER = (*_TRANSIENT, AttributeError)


@dataclass
class _PerLoop:
    """What belongs to one event loop."""

    client: Client
    turns: asyncio.Semaphore
    closer: AsyncGenerator[None, None] = field(repr=False)


class RedisClient:
    """Calls to one Redis. Safe to share between event loops and threads.

    A redis-py client belongs to the event loop that it first ran in, and ADK's `Runner.run()`
    starts a new loop for each call: so each loop gets a client, made at its first call and
    closed with the loop.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        retries: int = 4,
        connect: Callable[[Settings], Client] | None = None,
    ) -> None:
        self.settings = settings
        self._retries = retries
        self._connect = connect or new_client
        self._timeout = settings.number("socket_timeout", TIMEOUT)
        # on a cluster one call is several, each with redis-py's socket_timeout
        self._call_seconds = self._timeout * (4 if settings.is_cluster else 1)
        self._limit = max(1, int(settings.number("max_connections", MAX_CONNECTIONS)))
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _PerLoop] = WeakKeyDictionary()

    async def call(self, command: Callable[[Client, int], Awaitable[T]]) -> T:
        """Run `command(client, attempt)`, where attempt is 0 for the first try.

        A lost connection is tried again until the retries or the time are used up. Raises
        ServerUnavailable or WrongType.
        """
        if (task := asyncio.current_task()) and task.cancelling():
            # Hear now of a cancellation that came while the caller was computing: the check for a
            # broken connection in redis-py before 8 would take it for its own time-out.
            await asyncio.sleep(0)
        mine = self._loops.get(asyncio.get_running_loop()) or await self._open()
        if mine.turns.locked():
            await self._wait_for_turn(mine)
        else:
            await mine.turns.acquire()
        try:
            async with asyncio.timeout(self._call_seconds):
                return await self._attempts(mine.client, command)
        except TimeoutError:
            raise explain(exceptions.TimeoutError(), self.settings) from None
        finally:
            mine.turns.release()

    async def aclose(self) -> None:
        """Close the running loop's client. A later call opens a new one."""
        mine = self._loops.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await mine.closer.aclose()

    async def _attempts(self, client: Client, command: Callable[[Client, int], Awaitable[T]]) -> T:
        transient = _TRANSIENT_ON_A_CLUSTER if self.settings.is_cluster else _TRANSIENT
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                return await command(client, attempt)
            except transient as exc:
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                spent = time.monotonic() - started + pause
                if attempt >= self._retries or spent > self._timeout or isinstance(exc, _REFUSALS):
                    raise explain(exc, self.settings) from _harmless(exc)
                attempt += 1
                await asyncio.sleep(pause)
            except (exceptions.RedisError, OSError) as exc:
                raise explain(exc, self.settings) from _harmless(exc)

    async def _wait_for_turn(self, mine: _PerLoop) -> None:
        try:
            async with asyncio.timeout(4 * self._timeout):
                await mine.turns.acquire()
        except TimeoutError as exc:
            raise ServerUnavailable(
                f"All {self._limit} connections to Redis at {self.settings.redacted} stayed busy: "
                "raise max_connections in the URL, or see what blocks the server with "
                "`redis-cli SLOWLOG GET`."
            ) from exc

    async def _open(self) -> _PerLoop:
        client = self._connect(self.settings)
        closer = self._close_with_loop(client)
        mine = _PerLoop(client, asyncio.Semaphore(self._limit), closer)
        self._loops[asyncio.get_running_loop()] = mine
        await anext(closer)
        return mine

    async def _close_with_loop(self, client: Client) -> AsyncGenerator[None, None]:
        """Close the client when the event loop ends.

        asyncio.run() and uvicorn close the async generators that a loop has started
        (loop.shutdown_asyncgens), and nothing else of ours hears of its end: ADK never closes a
        session service.
        """
        try:
            yield
        finally:
            self._loops.pop(asyncio.get_running_loop(), None)
            await client.aclose()
            for watcher in _sentinels(client):  # which redis-py leaves to us
                await watcher.aclose()


def new_client(settings: Settings) -> Client:
    """A redis-py client for the settings. It connects at its first command.

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
        kwargs["retry"] = Retry(NoBackoff(), 0)  # RedisClient retries, and tells the script of it
        if scheme != "unix":
            kwargs.setdefault("socket_keepalive", True)
        if settings.is_cluster:
            return _cluster_client(hosts, kwargs, tls=base == "rediss")
        if scheme == "redis+sentinel":
            return _sentinel_client(hosts, parts.path.strip("/"), kwargs, sentinel_options)
        kwargs.pop("max_connections", None)  # RedisClient's turns keep to it
        # RedisClient puts one timeout over a whole call. redis-py's would cost a task for each
        # write, and the wait_for() of Python 3.11, which it writes with then, loses cancellations.
        kwargs["socket_timeout"] = None
        kwargs["connection_class"] = _packing(kwargs.get("connection_class", Connection))
        pool = ConnectionPool(**kwargs)
        pool.make_connection()  # connects to nothing, but looks at every option
        return Redis.from_pool(pool)
    except (TypeError, ValueError, exceptions.RedisError) as exc:
        known = ", ".join(sorted(settings.options)) or "none"
        raise InvalidURL(
            f"redis-py does not accept the options in the Redis URL (given: {known}): correct "
            "their names and values."
        ) from exc


@cache  # a client is made for each event loop, and Runner.run() starts one for each call
def _packing(kind: Any) -> Any:
    """A kind of connection that packs commands in C, as redis-py does in its blocking client alone.

    A twentieth of an append.
    """
    pack = HiredisRespSerializer().pack
    return type(kind.__name__, (kind,), {"pack_command": lambda self, *words: pack(*words)})


def _cluster_client(hosts: str, kwargs: dict[str, Any], *, tls: bool) -> Client:
    for name in ("host", "port", "db", "connection_class"):
        kwargs.pop(name, None)
    kwargs["max_connections"] = 10_000  # RedisClient's turns keep it far below; here it would raise
    # Not to close every connection, in use or not, at each fifth redirection
    kwargs["reinitialize_steps"] = 0
    nodes = [ClusterNode(host, port) for host, port in _addresses(hosts, 6379)]
    client = RedisCluster(startup_nodes=nodes, ssl=tls, **kwargs)
    shared = client.get_connection_kwargs()  # of every node that it will find
    shared["connection_class"] = _packing(shared["connection_class"])
    return client


def _sentinel_client(
    hosts: str, service: str, kwargs: dict[str, Any], sentinel_options: dict[str, str]
) -> Client:
    for name in ("host", "port", "connection_class", "max_connections"):
        kwargs.pop(name, None)
    shared = {k: v for k, v in kwargs.items() if k.startswith(("socket_", "ssl", "retry"))}
    sentinel = Sentinel(
        _addresses(hosts, 26379), sentinel_kwargs={**shared, **sentinel_options}, **kwargs
    )
    return cast("Client", sentinel.master_for(service))


def _sentinels(client: Client) -> list[Redis]:
    pool = getattr(client, "connection_pool", None)
    return list(pool.sentinel_manager.sentinels) if isinstance(pool, SentinelConnectionPool) else []


def _addresses(hosts: str, default_port: int) -> list[tuple[str, int]]:
    parsed = [urlsplit(f"//{host}") for host in hosts.split(",")]
    return [(p.hostname or "localhost", p.port or default_port) for p in parsed]


def explain(exc: Exception, settings: Settings) -> AdksessError:
    """What a redis-py exception means, as a sentence with the next step and no secret."""
    where = f"Redis at {settings.redacted}"
    for kind, sentence in _MEANINGS.items():
        if isinstance(exc, kind):
            return ServerUnavailable(sentence.format(where=where, what=_refused(exc)))
    if isinstance(exc, exceptions.TimeoutError):
        return ServerUnavailable(
            f"{where} did not answer in time: see whether it is overloaded or the network is "
            "cut, with `adksess doctor`."
        )
    if isinstance(exc, exceptions.ResponseError):
        return _explain_answer(exc, where)
    return ServerUnavailable(
        f"Cannot reach {where} ({_cause(exc)}): start Redis there, name another with "
        "--redis-url, or try adksess serve --demo, which brings one."
    )


def _explain_answer(exc: exceptions.ResponseError, where: str) -> AdksessError:
    """What an error answer means that redis-py has no class for.

    Redis 6 wraps the error of a command that a script ran: "ERR Error running script (…): -OOM …".
    """
    answer = str(exc)
    if "WRONGTYPE" in answer:
        return WrongType(
            f"{where} holds a value of another type at a key of adksess: find it with "
            "`adksess doctor`."
        )
    for code, kind in _WRAPPED.items():
        if code in answer:
            return ServerUnavailable(_MEANINGS[kind].format(where=where, what=_refused(exc)))
    # "unknown command 'X', with args beginning with: …" would repeat what was stored
    answer = answer.partition(", with args")[0][:200]
    return ServerUnavailable(f"{where} answered with an error: {answer}")


def _refused(exc: Exception) -> str:
    """What a user may not do, of "User x has no permissions to run the 'hset' command"."""
    command = re.search(r"'([\w|-]+)' command", str(exc))
    return f"to run {command[1].upper()}" if command else "to use one of its keys"


def _harmless(exc: Exception) -> Exception | None:
    """The exception, if its text is free of command arguments, which are stored content."""
    is_content_free = isinstance(
        exc, OSError | exceptions.ConnectionError | exceptions.TimeoutError
    )
    return exc if is_content_free else None


_LOGIN_REFUSED = (
    "{where} refused the login: check user and password in the URL "
    "(redis://user:password@host:6379/0)."
)
_MEANINGS: dict[type[Exception], str] = {
    exceptions.AuthenticationError: _LOGIN_REFUSED,
    exceptions.AuthorizationError: _LOGIN_REFUSED,
    exceptions.AuthenticationWrongNumberOfArgsError: _LOGIN_REFUSED,
    exceptions.NoPermissionError: (
        "{where} does not permit this user {what}: give it the rights that the README lists under "
        "ACL."
    ),
    exceptions.OutOfMemoryError: (
        "{where} is out of memory (maxmemory) and stored nothing: raise maxmemory, or delete "
        "sessions with `adksess delete --idle 30d`."
    ),
    exceptions.ReadOnlyError: "{where} is a read-only replica: name the primary in the URL.",
    exceptions.ClusterDownError: "{where} lacks a node: see which with `redis-cli CLUSTER NODES`.",
    exceptions.InvalidResponse: (
        "{where} does not answer as a Redis does: something else listens there. Stop it and start "
        "Redis, or name another address with --redis-url."
    ),
    exceptions.BusyLoadingError: "{where} is still loading its data: try again in a moment.",
    exceptions.MaxConnectionsError: (
        "{where} has no connection free: raise max_connections in the URL."
    ),
}


_WRAPPED = {
    "-OOM ": exceptions.OutOfMemoryError,
    "-READONLY ": exceptions.ReadOnlyError,
    "The user executing the script": exceptions.NoPermissionError,
    "ACL failure": exceptions.NoPermissionError,
    "-NOPERM ": exceptions.NoPermissionError,
}


def _cause(exc: BaseException) -> str:
    """A few words on why a connection failed, from the operating system where it spoke."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno and seen.errno > 0:
            return os.strerror(seen.errno)
        if isinstance(seen, OSError) and seen.args:
            return str(seen.args[-1])
        seen = seen.__cause__ or seen.__context__
    if isinstance(exc, MasterNotFoundError):
        return "no primary found"
    return "it closes the connection: maybe it is no Redis, or wants rediss://"
