"""Time limits that a busy event loop does not use up."""

import asyncio
from collections.abc import Callable, Hashable
from types import TracebackType

_STEPS = 10


class LoopTimeout:
    """Raise TimeoutError in an `async with` block after `seconds` in which the loop was free.

    An event loop that is blocked, or gets no CPU, reads no replies: a limit in seconds would
    blame the server. So the time is counted in ten steps. A step in which the loop was blocked
    counts as one step, however long it took, and the block gets at least ten turns of the loop.
    With `progress`, the steps start again whenever its value has changed.
    """

    __slots__ = ("_left", "_loop", "_progress", "_seen", "_step", "_timeout", "_timer")

    def __init__(self, seconds: float, progress: Callable[[], Hashable] | None = None) -> None:
        self._step = seconds / _STEPS
        self._left = _STEPS
        self._progress = progress
        self._seen = progress() if progress else None
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> asyncio.Timeout:
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self._step, self._count)
        return await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, exc, traceback)

    def _count(self) -> None:
        self._left -= 1
        if self._progress and (now := self._progress()) != self._seen:
            self._seen = now
            self._left = _STEPS
        if self._left:
            self._timer = self._loop.call_later(self._step, self._count)
        else:
            self._timeout.reschedule(self._loop.time())
