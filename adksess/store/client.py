"""RedisClient: a redis-py client for each event loop, bounded retries, our errors."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis import exceptions

from adksess.store import cancellation, scripts
from adksess.store.connect import Client, close, drop_connections, new_client
from adksess.store.errors import ServerUnavailable
from adksess.store.redis_errors import (
    PROGRAMMING_ERRORS,
    explain,
    is_closed_writer,
    is_other_server,
    is_transient,
    without_content,
)
from adksess.store.scripts import Argument, ScriptCall
from adksess.store.settings import TIMEOUT, Settings
from adksess.store.timeouts import LoopTimeout

T = TypeVar("T")

MAX_CONNECTIONS = 50
"""Connections for each event loop; more concurrent calls wait for a free one."""

_BYTES_PER_SECOND = 10_000_000
"""The speed of a slow network: a call gets more time for a longer value."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_CLOSING_SECONDS = 1.0
_REPORTED = (
    exceptions.RedisError,
    exceptions.RedisClusterException,  # not a RedisError
    OSError,
    *PROGRAMMING_ERRORS,  # of a closed writer
)


@dataclass
class _LoopClient:
    """The redis-py client of one event loop."""

    client: Client
    slots: asyncio.Semaphore
    closer: AsyncGenerator[None, None] = field(repr=False)
    finished: int = 0  # calls
    thread: threading.Thread = field(default_factory=threading.current_thread, repr=False)


class RedisClient:
    """Calls to one Redis. Safe to share between event loops and threads.

    A redis-py client belongs to the event loop that it first ran in, and ADK's `Runner.run()`
    starts a new loop for each call: so each loop gets a client, made at its first call and
    closed with the loop, or at the next call when the loop was closed by hand. Every call may
    raise ServerUnavailable or WrongType.
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
        self._loops: dict[asyncio.AbstractEventLoop, _LoopClient] = {}

    @property
    def open_loops(self) -> int:
        """The number of event loops that have a client."""
        return len(self._loops)

    async def command(self, *words: Argument) -> Any:
        """Run one command, such as `command("GET", key)`."""
        return await self.call(lambda client, _: scripts.execute(client, *words))

    async def run_all(
        self, calls: Sequence[tuple[Argument, ...] | ScriptCall], *, payload: int = 0
    ) -> list[Any]:
        """Run independent commands and scripts in one round trip; on a cluster, in parallel.

        Raises the first error; other calls may have been carried out.
        """
        if not calls:
            return []
        return await self.call(lambda client, _: scripts.run_all(client, calls), payload=payload)

    async def call(self, function: Callable[[Client, int], Awaitable[T]], *, payload: int = 0) -> T:
        """Run `function(client, attempt)`, where attempt is 0 for the first try.

        For calls that need the attempt, or several commands that are retried together. A transient
        error is retried until the retries or the time are used up; the time grows with the
        `payload`, the bytes that are sent and received.
        """
        task = asyncio.current_task()
        if cancellations := task.cancelling() if task else 0:
            # Deliver a pending cancellation now: redis-py before 8 mistakes it for its own timeout.
            await asyncio.sleep(0)
        loop_client = self._loops.get(asyncio.get_running_loop()) or await self._open()
        if len(self._loops) > 1:
            await self._close_abandoned()
        if loop_client.slots.locked():
            await self._wait_for_slot(loop_client)
        else:
            await loop_client.slots.acquire()
        try:
            async with LoopTimeout(self._call_seconds + payload / _BYTES_PER_SECOND) as timeout:
                cancellation.start_timeout(timeout)
                return await self._attempts(loop_client.client, function)
        except TimeoutError:
            raise explain(exceptions.TimeoutError(), self.settings) from None
        finally:
            loop_client.slots.release()
            loop_client.finished += 1
            if task and task.cancelling() > cancellations:
                cancellation.deliver_lost()

    async def aclose(self) -> None:
        """Close the running loop's client. A later call opens a new one."""
        loop_client = self._loops.pop(asyncio.get_running_loop(), None)
        if loop_client is not None:
            await loop_client.closer.aclose()

    async def _attempts(self, client: Client, function: Callable[[Client, int], Awaitable[T]]) -> T:
        started = time.monotonic()
        attempt = 0
        while True:
            try:
                return await function(client, attempt)
            except _REPORTED as exc:
                if isinstance(exc, PROGRAMMING_ERRORS) and not is_closed_writer(exc):
                    raise
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                spent = time.monotonic() - started + pause
                if not is_transient(exc) or attempt >= self._retries or spent > self._timeout:
                    raise explain(exc, self.settings) from without_content(exc)
                if is_other_server(exc):
                    await drop_connections(client)
            attempt += 1
            await asyncio.sleep(pause)

    async def _wait_for_slot(self, loop_client: _LoopClient) -> None:
        try:
            async with LoopTimeout(4 * self._timeout, lambda: loop_client.finished):
                await loop_client.slots.acquire()
        except TimeoutError as exc:
            raise ServerUnavailable(
                f"All {self._limit} connections to Redis at {self.settings.redacted} stayed busy: "
                "raise max_connections in the URL, or see what blocks the server with "
                "`redis-cli SLOWLOG GET`."
            ) from exc

    async def _open(self) -> _LoopClient:
        client = self._connect(self.settings)
        closer = self._close_with_loop(client)
        loop_client = _LoopClient(client, asyncio.Semaphore(self._limit), closer)
        self._loops[asyncio.get_running_loop()] = loop_client
        await anext(closer)
        return loop_client

    async def _close_with_loop(self, client: Client) -> AsyncGenerator[None, None]:
        """Close the client when the event loop ends.

        asyncio.run() and uvicorn close the async generators that a loop has started
        (loop.shutdown_asyncgens), and nothing else tells us: ADK never closes a session service.
        """
        try:
            yield
        finally:
            self._loops.pop(asyncio.get_running_loop(), None)
            await close(client)

    async def _close_abandoned(self) -> None:
        """Close the clients of event loops that do not run any more.

        A loop that is closed by hand (`loop.close()`) does not close its async generators.
        """
        for loop, other in tuple(self._loops.items()):
            is_over = loop.is_closed() or not (loop.is_running() or other.thread.is_alive())
            if is_over and self._loops.pop(loop, None) is not None:
                with suppress(RuntimeError, TimeoutError):  # locks of the other loop
                    async with asyncio.timeout(_CLOSING_SECONDS):
                        await close(other.client)
