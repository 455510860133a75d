"""redis-py exceptions as our errors: which can be retried, and what each means."""

import os
import re

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from adksess.store.errors import AdksessError, ServerUnavailable, WrongType
from adksess.store.settings import Settings


class WrongMode(exceptions.RedisError):
    """The server is a cluster, a sentinel or neither, and the URL says something else."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.mode = mode


_TRANSIENT = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,  # a primary that was just demoted
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    exceptions.RedisClusterException,  # no node reachable, a slot not covered
)
_PERMANENT = (  # although redis-py derives some of them from ConnectionError
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.AuthenticationWrongNumberOfArgsError,
    exceptions.NoPermissionError,
)
_NOT_A_PRIMARY = (
    exceptions.ReadOnlyError,
    exceptions.BusyLoadingError,
    exceptions.MasterDownError,
)
_READ_ONLY = "-READONLY "  # how Redis 6 passes on the error of a command in a script
_CLOSED_WRITER = ("writelines", "drain")


def is_transient(exc: Exception) -> bool:
    """Whether a retry may succeed."""
    if isinstance(exc, AttributeError):
        return is_closed_writer(exc)
    if _wrong_mode(exc) or isinstance(exc, _PERMANENT):
        return False
    return isinstance(exc, _TRANSIENT) or _READ_ONLY in str(exc)


def is_other_server(exc: Exception) -> bool:
    """Whether another server may be behind the address: this one cannot do its work now."""
    return isinstance(exc, _NOT_A_PRIMARY) or _READ_ONLY in str(exc)


def is_closed_writer(exc: AttributeError) -> bool:
    """Whether redis-py wrote to a connection that another task had closed.

    redis-py 8.1 closes a cluster's connection that another task has just begun to open, and then
    calls a method of None. Any other AttributeError is a programming error.
    """
    return exc.obj is None and exc.name in _CLOSED_WRITER


def explain(exc: Exception, settings: Settings) -> AdksessError:
    """Return what a redis-py exception means: a sentence with the next step and no secret."""
    where = f"Redis at {settings.redacted}"
    if mode := _wrong_mode(exc):
        return ServerUnavailable(_explain_mode(mode, where, settings))
    for kind, sentence in _MEANINGS.items():
        if isinstance(exc, kind):
            return ServerUnavailable(sentence.format(where=where, what=_denied(exc)))
    if isinstance(exc, exceptions.TimeoutError):
        return ServerUnavailable(
            f"{where} did not answer in time: see whether it is overloaded or the network is "
            "cut, with `adksess doctor`."
        )
    if isinstance(exc, exceptions.ResponseError):
        return _explain_answer(exc, where)
    return ServerUnavailable(
        f"Cannot reach {where} ({_cause(exc)}): start Redis there, name another with "
        "--redis-url, or try adksess serve --demo, which starts one."
    )


def without_content(exc: Exception) -> Exception | None:
    """Return the exception if its text has no command arguments, which are stored content."""
    is_content_free = isinstance(
        exc, OSError | exceptions.ConnectionError | exceptions.TimeoutError
    )
    return exc if is_content_free else None


def _explain_answer(exc: exceptions.ResponseError, where: str) -> AdksessError:
    """Return what an error answer means that redis-py has no class for.

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
            return ServerUnavailable(_MEANINGS[kind].format(where=where, what=_denied(exc)))
    # "unknown command 'X', with args beginning with: …" would repeat what was stored
    answer = answer.partition(", with args")[0][:200]
    return ServerUnavailable(f"{where} answered with an error: {answer}")


def _wrong_mode(exc: BaseException) -> str:
    """Return the mode of the server if the URL has another, found in the causes too."""
    current: BaseException | None = exc
    while current is not None:
        if isinstance(current, WrongMode):
            return current.mode
        current = current.__cause__
    return ""


def _explain_mode(mode: str, where: str, settings: Settings) -> str:
    tls = "s" if settings.scheme.startswith("rediss") else ""
    if mode == "cluster":
        return (
            f"{where}: this is a cluster: use redis{tls}+cluster:// in the URL, or "
            "?single_slot=true where one address serves the whole cluster."
        )
    if mode == "sentinel":
        return f"{where}: this is a sentinel: use redis{tls}+sentinel://host:26379/SERVICE."
    return f"{where}: this is no cluster: use redis{tls}:// in the URL."


def _denied(exc: Exception) -> str:
    """Return what a user may not do, of "User x has no permissions to run the 'hset' command"."""
    command = re.search(r"'([\w|-]+)' command", str(exc))
    return f"to run {command[1].upper()}" if command else "to use one of its keys"


def _cause(exc: BaseException) -> str:
    """Return why a connection failed, in the operating system's words where it reported it."""
    current: BaseException | None = exc
    while current is not None:
        if isinstance(current, OSError) and current.errno and current.errno > 0:
            return os.strerror(current.errno)
        if isinstance(current, OSError) and current.args:
            return str(current.args[-1])
        current = current.__cause__ or current.__context__
    if isinstance(exc, MasterNotFoundError):
        return "no primary found"
    return "it closes the connection: maybe it is no Redis, or wants rediss://"


_LOGIN_REJECTED = (
    "{where} refused the login: check user and password in the URL "
    "(redis://user:password@host:6379/0)."
)
_MEANINGS: dict[type[Exception], str] = {
    exceptions.AuthenticationError: _LOGIN_REJECTED,
    exceptions.AuthorizationError: _LOGIN_REJECTED,
    exceptions.AuthenticationWrongNumberOfArgsError: _LOGIN_REJECTED,
    exceptions.NoPermissionError: (
        "{where} does not permit this user {what}: grant it the rights listed under ACL in "
        ".github/docs/deployment.md."
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
