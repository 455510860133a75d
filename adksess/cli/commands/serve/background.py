"""Background work of `adksess serve`: index other tools' sessions, print created sessions."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from adksess.cli.render.console import message, stderr
from adksess.cli.render.styles import ID, MUTED
from adksess.cli.render.text import counted, safe_text
from adksess.cli.runner import with_store
from adksess.store.errors import AdksessError
from adksess.store.settings import Settings

if TYPE_CHECKING:
    from adksess.store.store import SessionStore

_JOIN_TIMEOUT_SECONDS = 5.0


@contextmanager
def indexing_foreign_sessions(settings: Settings) -> Iterator[None]:
    """Index sessions written by other tools, in a thread, while the block runs.

    ADK's web UI lists only indexed sessions. On a large database the pass takes minutes, so it
    runs in the background.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_index, args=(settings, stopping), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_JOIN_TIMEOUT_SECONDS)


def _index(settings: Settings, stopping: threading.Event) -> None:
    async def index_missing(store: "SessionStore") -> int:
        indexed = 0
        async for count in store.index_missing():
            indexed += count
            if stopping.is_set():
                break
        return indexed

    try:
        indexed = with_store(settings, index_missing)
    except AdksessError as exc:
        if not stopping.is_set():
            problem = f"Sessions written by other tools may be missing from ADK's lists. {exc}"
            stderr().print(message("warning", problem))
        return
    if indexed:
        listed = counted(
            indexed,
            "session of another tool is now listed",
            "sessions of other tools are now listed",
        )
        stderr().print(message("note", f"{listed} in ADK's web UI."))


def print_created_sessions() -> None:
    """Print a line for each session that ADK's service creates from now on."""
    logger = logging.getLogger("adksess.adk.service")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_SessionLogHandler())
    logger.propagate = False  # ADK's own handler would print it a second time


class _SessionLogHandler(logging.Handler):
    """Prints `13:20:01  created app/user/id`."""

    _clock = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        at = self._clock.formatTime(record, "%H:%M:%S")
        line = Text.assemble((f"{at}  ", MUTED), (safe_text(record.getMessage()), ID))
        stderr().print(line, soft_wrap=True)
