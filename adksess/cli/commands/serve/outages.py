"""Shorten the log of an outage: one line per minute instead of a traceback per request."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from adksess.cli.render.text import counted
from adksess.store.errors import ServerUnavailable

_INTERVAL_SECONDS = 60.0
_DROPPED = -1  # below the level of every handler


def shorten_outages(clock: Callable[[], float] = time.monotonic) -> None:
    """Log errors that an unavailable Redis causes as one line per minute, in every logger.

    uvicorn and ADK log the same exception, some in modules that are imported later. So this
    replaces the factory of log records, which all loggers use.
    """
    logging.setLogRecordFactory(_OutageRecords(logging.getLogRecordFactory(), clock))


class _OutageRecords:
    def __init__(self, make: Callable[..., logging.LogRecord], clock: Callable[[], float]) -> None:
        self._make, self._clock = make, clock
        self._reported_at: float | None = None
        self._dropped = 0

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        error = record.exc_info[1] if record.exc_info else None
        outage = next((e for e in _chain(error) if isinstance(e, ServerUnavailable)), None)
        if outage is None:
            return record
        now = self._clock()
        if self._reported_at is not None and now - self._reported_at < _INTERVAL_SECONDS:
            self._dropped += 1
            record.levelno = _DROPPED
            return record
        more = f" ({counted(self._dropped, 'more error')} since the last line)"
        record.msg, record.args = f"{outage}{more if self._dropped else ''}", ()
        record.exc_info = record.exc_text = None
        self._reported_at, self._dropped = now, 0
        return record


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, its causes, and the members of groups, each once."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
