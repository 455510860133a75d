"""redis-py exceptions as our errors: which can be retried, and what each means."""

import os
import re
import ssl
import traceback
from collections.abc import Iterator

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from adksess.store.credentials import UnreadablePassword
from adksess.store.errors import AdksessError, ServerUnavailable, ServerUnreachable, WrongType
from adksess.store.settings import Settings


class WrongMode(exceptions.RedisError):
    """The server is a cluster, a sentinel or neither, and the URL says something else."""

    def __init__(self, mode: str) -> None:
        super().__init__(mode)
        self.mode = mode


class NoTls(exceptions.RedisError):
    """A server that answers without TLS, for a URL with TLS."""


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
_MISCONFIGURED = (WrongMode, NoTls, UnreadablePassword, ssl.SSLCertVerificationError)
_NOT_A_PRIMARY = (
    exceptions.ReadOnlyError,
    exceptions.BusyLoadingError,
    exceptions.MasterDownError,
)
_READ_ONLY = "-READONLY "  # how Redis 6 passes on the error of a command in a script
_CLOSED_WRITER = ("writelines", "drain")
_TRANSPORT = "asyncio.selector_events"

PROGRAMMING_ERRORS = (AttributeError, TypeError)
"""Errors that mean a lost connection when is_closed_writer() says so."""


def is_transient(exc: Exception) -> bool:
    """Whether a retry may succeed."""
    if isinstance(exc, PROGRAMMING_ERRORS):
        return is_closed_writer(exc)
    if isinstance(exc, _PERMANENT) or _misconfiguration(exc):
        return False
    return isinstance(exc, _TRANSIENT) or _READ_ONLY in str(exc)


def is_other_server(exc: Exception) -> bool:
    """Whether another server may be behind the address: this one cannot do its work now."""
    return isinstance(exc, _NOT_A_PRIMARY) or _READ_ONLY in str(exc)


def is_wrong_type(exc: exceptions.ResponseError) -> bool:
    """Whether a key is of another type than the command needs, in a script or not."""
    return "WRONGTYPE" in str(exc)


def is_closed_writer(exc: BaseException) -> bool:
    """Whether redis-py wrote to a connection that another task had closed.

    redis-py 8.1 closes a cluster's connection that another task has just begun to open, and then
    calls a method of None. asyncio of Python 3.12 and 3.13 calls None itself when it writes to a
    closed transport. Any other AttributeError or TypeError is a programming error.
    """
    if isinstance(exc, AttributeError):
        return exc.obj is None and exc.name in _CLOSED_WRITER
    *_, last = traceback.walk_tb(exc.__traceback__)
    code = last[0].f_code
    return last[0].f_globals.get("__name__") == _TRANSPORT and code.co_name in _CLOSED_WRITER


def explain(exc: Exception, settings: Settings) -> AdksessError:
    """Return what a redis-py exception means: a sentence with the next step and no secret."""
    where = f"Redis at {settings.redacted}"
    if cause := _misconfiguration(exc):
        return ServerUnavailable(f"{where}{_explain_configuration(cause, settings)}")
    for kind, sentence in _MEANINGS.items():
        if isinstance(exc, kind):
            return ServerUnavailable(sentence.format(where=where, what=_denied(exc)))
    if _TOO_MANY in str(exc):
        return ServerUnavailable(_NO_CONNECTION_LEFT.format(where=where))
    if isinstance(exc, exceptions.TimeoutError):
        return ServerUnavailable(
            f"{where} did not answer in time: it may be overloaded, or the network broken. Run "
            "`adksess doctor`."
        )
    if isinstance(exc, exceptions.ResponseError):
        return _explain_answer(exc, where, settings)
    return ServerUnreachable(f"Cannot reach {where} ({_cause(exc)})", is_local=settings.is_local)


def without_content(exc: Exception) -> Exception | None:
    """Return the exception if its text has no command arguments, which are stored content."""
    is_content_free = isinstance(
        exc, OSError | exceptions.ConnectionError | exceptions.TimeoutError
    )
    return exc if is_content_free else None


def _explain_answer(exc: exceptions.ResponseError, where: str, settings: Settings) -> AdksessError:
    """Return what an error answer means that redis-py has no class for.

    Redis 6 wraps the error of a command that a script ran: "ERR Error running script (…): -OOM …".
    """
    answer = str(exc)
    if is_wrong_type(exc):
        return WrongType(
            f"{where} holds a value of another type at a key of adksess: find it with "
            "`adksess doctor`."
        )
    if "unknown command" in answer and "SENTINEL" in answer.upper():
        return ServerUnavailable(
            f"{where}: this is not a sentinel: use {settings.scheme.partition('+')[0]}:// for a "
            "single server, or the addresses of the sentinels (port 26379)."
        )
    for code, kind in _WRAPPED.items():
        if code in answer:
            return ServerUnavailable(_MEANINGS[kind].format(where=where, what=_denied(exc)))
    # "unknown command 'X', with args beginning with: …" would repeat what was stored
    answer = answer.partition(", with args")[0][:200]
    return ServerUnavailable(f"{where} answered with an error: {answer}")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _misconfiguration(exc: BaseException) -> BaseException | None:
    """Return the cause of an error that lasts until URL, files or server are changed."""
    for cause in _chain(exc):
        if isinstance(cause, _MISCONFIGURED):
            return cause
        if "Cluster mode is not enabled" in str(cause):  # redis-py's text
            return WrongMode("standalone")
    return None


def _explain_configuration(exc: BaseException, settings: Settings) -> str:
    """Return the end of a sentence on a URL or a file that does not fit the server."""
    plain = settings.scheme.partition("+")[0]
    if isinstance(exc, UnreadablePassword):
        return f": the password file cannot be read ({exc}): correct password_file in the URL."
    if isinstance(exc, NoTls):
        scheme = settings.scheme.replace("rediss", "redis", 1)
        return f" does not use TLS: write {scheme}:// in the URL."
    if isinstance(exc, ssl.SSLCertVerificationError):
        reason = exc.verify_message.rstrip(".")
        if exc.verify_code in _OTHER_HOST:
            return f" has the certificate of another host ({reason}): use the host that it names."
        return (
            f" has a certificate that is not trusted ({reason}): name the file of the CA that "
            "signed it with ?ssl_ca_certs=FILE."
        )
    mode = getattr(exc, "mode", "")
    if mode == "cluster":
        return (
            f": this is a cluster: use {plain}+cluster:// in the URL, or ?single_slot=true where "
            "one address serves the whole cluster."
        )
    if mode == "sentinel":
        return f": this is a sentinel: use {plain}+sentinel://host:26379/SERVICE."
    return f": this is not a cluster: use {plain}:// in the URL."


def _denied(exc: Exception) -> str:
    """Return what a user may not do, of "User x has no permissions to run the 'hset' command"."""
    command = re.search(r"'([\w|-]+)' command", str(exc))
    return f"to run {command[1].upper()}" if command else "to use one of its keys"


def _cause(exc: BaseException) -> str:
    """Return why a connection failed, in the operating system's words where it reported it."""
    for cause in _chain(exc):
        if isinstance(cause, ssl.SSLError):  # its errno is none of the operating system
            return f"TLS: {(cause.reason or 'connection failed').lower().replace('_', ' ')}"
        hint = ": maybe it needs rediss://" if isinstance(cause, ConnectionResetError) else ""
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno) + hint
        if isinstance(cause, OSError) and cause.args:
            return str(cause.args[-1]) + hint
    if isinstance(exc, MasterNotFoundError):
        return "no primary found: no sentinel answers, or none knows this service"
    return "it closes the connection: maybe it is not a Redis, or needs rediss://"


_TOO_MANY = "max number of clients reached"
_NO_CONNECTION_LEFT = (
    "{where} has reached its limit of connections (maxclients): raise it, or see who holds them "
    "with `redis-cli CLIENT LIST`."
)
_OTHER_HOST = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_LOGIN_REJECTED = (
    "{where} rejected the login: check user and password in the URL "
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
        "{where} does not answer as a Redis does: another program uses this address. Stop it and "
        "start Redis, or correct the address in the URL."
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
