"""What `adksess serve` does beside ADK's server, as long as that runs."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from adksess.cli.render.console import message, stderr
from adksess.cli.render.text import counted, safe_text
from adksess.cli.runner import with_store
from adksess.store.errors import AdksessError
from adksess.store.settings import Settings

if TYPE_CHECKING:
    from adksess.store.store import SessionStore

_PATIENCE = 5.0


@contextmanager
def entering_sessions_of_others(settings: Settings) -> Iterator[None]:
    """Enter sessions that other tools wrote in their users' lists, in a thread.

    ADK's web UI would not show them. A large database takes a while, and nobody need wait for it.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_enter, args=(settings, stopping), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_PATIENCE)


def _enter(settings: Settings, stopping: threading.Event) -> None:
    async def enter(store: "SessionStore") -> int:
        entered = 0
        async for count in store.index_missing():
            entered += count
            if stopping.is_set():
                break
        return entered

    try:
        entered = with_store(settings, enter)
    except AdksessError as exc:
        if not stopping.is_set():
            why = f"Sessions that other tools wrote may be missing from ADK's lists. {exc}"
            stderr().print(message("warning", why))
        return
    if entered:
        sessions = counted(entered, "session")
        what = f"{sessions} that another tool wrote can now be seen in ADK's lists."
        stderr().print(message("note", what))


def print_created_sessions() -> None:
    """From now on print a line for each session that ADK's service creates."""
    logger = logging.getLogger("adksess.adk.service")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_Lines())
    logger.propagate = False  # ADK's own handler would print it once more


class _Lines(logging.Handler):
    """Prints `13:20:01  created app/user/id`."""

    _clock = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        at = self._clock.formatTime(record, "%H:%M:%S")
        line = Text.assemble((f"{at}  ", "dim"), (safe_text(record.getMessage()), "cyan"))
        stderr().print(line, soft_wrap=True)
