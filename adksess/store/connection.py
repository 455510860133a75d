"""The connections of the store: redis-py's, with cancellation, idle checks and server modes."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from redis import exceptions
from redis.asyncio.connection import SSLConnection

from adksess.store import cancellation, command_log
from adksess.store.redis_errors import NoTls, WrongMode
from adksess.store.settings import TIMEOUT

try:  # not part of redis-py's documented API
    from redis.connection import HiredisRespSerializer
except ImportError:
    HiredisRespSerializer = None  # type: ignore[assignment, misc]

IDLE_SECONDS = 1
"""Seconds without a reply after which a connection is checked before its next command, unless the
URL has health_check_interval.
"""

_WRITE_BUFFER = 2**40
_LARGE_BYTES = 1_000_000
"""Values of this size and more are sent without copies: hiredis and asyncio make three."""

_CHUNK_BYTES = 1_000_000
_PROBE_SECONDS = 1.0
_CHECK_SHARE = 4  # a check takes at most a fourth of the time for connecting


class _Connection:
    """A mixin for redis-py's connection classes; see `connection_class`."""

    accepted_modes: tuple[str, ...] = ()
    _reader: asyncio.StreamReader | None
    _writer: asyncio.StreamWriter | None
    next_health_check: float

    async def _connect(self) -> None:
        self.next_health_check = -1  # new connections are not checked
        if isinstance(self, SSLConnection):
            await self._connect_tls()
        else:
            await super()._connect()  # type: ignore[misc]
        # Commands are in memory in any case. With a limit, the wait for a large one to be sent
        # could be cancelled, and redis-py would close the connection with a part of it sent.
        if self._writer:
            self._writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER)

    async def _connect_tls(self) -> None:
        """Connect with TLS. Raises NoTls early, since a server without TLS does not answer."""
        try:
            async with asyncio.timeout(self._seconds_for_check()):
                await super()._connect()  # type: ignore[misc]
                return
        except ssl.SSLCertVerificationError:
            raise
        except (TimeoutError, OSError) as exc:
            if await _answers_without_tls(self.host, self.port):  # type: ignore[attr-defined]
                raise NoTls from exc
            if not isinstance(exc, TimeoutError):
                raise
        await super()._connect()  # type: ignore[misc]

    def _seconds_for_check(self) -> float:
        seconds: float = self.socket_connect_timeout or TIMEOUT  # type: ignore[attr-defined]
        return seconds / _CHECK_SHARE

    async def on_connect_check_health(self, *args: Any, **options: Any) -> None:
        """Log in, and compare the mode of the server with that of the URL. Raises WrongMode."""
        seen: dict[bytes, Any] = {}

        async def read_response(*args: Any, **options: Any) -> Any:
            reply = await type(self).read_response(self, *args, **options)
            if isinstance(reply, dict):
                seen.update(reply)
            return reply

        vars(self)["read_response"] = read_response  # redis-py 8 sends HELLO, and hides the reply
        try:
            await super().on_connect_check_health(*args, **options)  # type: ignore[misc]
        finally:
            del vars(self)["read_response"]
        if self.accepted_modes and not seen:
            seen = await self._hello()
        mode = bytes(seen.get(b"mode", b"")).decode()
        if mode and self.accepted_modes and mode not in self.accepted_modes:
            raise WrongMode(mode)

    async def _hello(self) -> dict[bytes, Any]:
        await self.send_command("HELLO", check_health=False)  # type: ignore[attr-defined]
        try:
            reply = await self.read_response()
        except exceptions.ResponseError:  # Redis before 6, or not permitted
            return {}
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command; a large value in chunks, which asyncio copies only if they must wait."""
        if isinstance(command, list) and any(len(piece) > _LARGE_BYTES for piece in command):
            await super().send_packed_command([], check_health)  # type: ignore[misc]
            assert self._writer
            for piece in command:
                view = memoryview(piece)
                for start in range(0, len(view), _CHUNK_BYTES):
                    self._writer.write(view[start : start + _CHUNK_BYTES])
            command, check_health = [], False
        await super().send_packed_command(command, check_health)  # type: ignore[misc]

    async def check_health(self) -> None:
        """Replace a connection that has been idle if it does not answer.

        Load balancers and NAT drop idle connections silently: a command on such a connection would
        wait for the whole timeout.
        """
        interval = self.health_check_interval  # type: ignore[attr-defined]
        now = asyncio.get_running_loop().time()
        if not interval or self.next_health_check < 0 or now <= self.next_health_check:
            return
        reply = None  # also when the time is over
        try:
            await self.send_command("PING", check_health=False)  # type: ignore[attr-defined]
            reply = await self.read_response(timeout=self._seconds_for_check())
        except exceptions.ResponseError:  # PING is not permitted
            return
        except (exceptions.ConnectionError, OSError):
            pass
        if reply is None:
            await self.disconnect(nowait=True)
            await self.connect()  # type: ignore[attr-defined]

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read a reply. A cancelled write still waits for its reply.

        Every error closes the connection, except an error reply.
        """
        options["disconnect_on_error"] = False
        while True:
            try:
                return await super().read_response(*args, **options)  # type: ignore[misc]
            except asyncio.CancelledError as exc:
                if not cancellation.postpone(exc):
                    await self.disconnect(nowait=True)
                    raise
            except exceptions.ResponseError:
                raise
            except BaseException:
                await self.disconnect(nowait=True)
                raise

    async def disconnect(self, *args: Any, **options: Any) -> None:
        """Close the connection, at once if its event loop is closed."""
        writer = self._writer
        try:
            await super().disconnect(*args, **options)  # type: ignore[misc]
        except RuntimeError:
            self._reader = self._writer = None
            if writer:
                _close_socket(writer.transport)


async def _answers_without_tls(host: str, port: int) -> bool:
    """Whether a Redis answers at an address without TLS."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"PING\r\n")
                return (await reader.read(1)) in (b"+", b"-")
            finally:
                writer.close()
    return False


def _close_socket(transport: asyncio.WriteTransport) -> None:
    """Close the socket of a transport whose event loop does not run any more.

    asyncio has no public way: the transport closes it in a callback of the loop. Otherwise the
    garbage collector would close it.
    """
    if callback := getattr(transport, "_call_connection_lost", None):
        with suppress(RuntimeError):  # of a task that waits for a reply
            callback(None)
    elif sock := getattr(transport.get_extra_info("socket"), "_sock", None):
        sock.close()


def _logged(pack: Callable[..., Any]) -> Callable[..., Any]:
    def pack_command(self: Any, *words: Any) -> Any:
        command_log.logger.debug("%s", command_log.describe(words))
        return pack(self, *words)

    return pack_command


def connection_class(kind: Any, accepted_modes: tuple[str, ...] = ()) -> Any:
    """Return a subclass of a connection class of redis-py.

    It completes writes (see `cancellation`), checks idle connections, fails on a server in another
    mode than `accepted_modes` (empty for any), and packs commands with hiredis, which redis-py does
    only in its blocking client: 5 % of an append.
    """
    is_logged = command_log.logger.isEnabledFor(logging.DEBUG)
    return _connection_class(kind, accepted_modes, is_logged=is_logged)


@cache  # a client is made for each event loop, and Runner.run() starts one for each call
def _connection_class(kind: Any, accepted_modes: tuple[str, ...], *, is_logged: bool) -> Any:
    members: dict[str, Any] = {"accepted_modes": accepted_modes}
    if HiredisRespSerializer is not None:
        pack = HiredisRespSerializer().pack

        def pack_command(self: Any, *words: Any) -> Any:
            if any(len(word) > _LARGE_BYTES for word in words if isinstance(word, bytes)):
                return kind.pack_command(self, *words)
            return pack(*words)

        members["pack_command"] = pack_command
    if is_logged:
        members["pack_command"] = _logged(members.get("pack_command", kind.pack_command))
    return type(kind.__name__, (_Connection, kind), members)
