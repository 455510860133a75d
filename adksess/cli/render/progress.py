"""A progress bar on stderr, for people, once the work has taken a second."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from adksess.cli.render.console import message, stderr
from adksess.cli.render.text import counted

if TYPE_CHECKING:
    from rich.progress import Progress

_QUIET_SECONDS = 1.0


def warn_of_stop(sessions: int) -> None:
    """Say how many sessions a command has changed or written before an error or Ctrl-C."""
    text = f"Stopped after {counted(sessions, 'session')}: repeat the command for the rest."
    stderr().print(message("warning", text))


class ProgressBar:
    """Counts steps of work; shows nothing in a pipe, nor while the work is short.

    With `changes` the steps are sessions that are changed: an error or Ctrl-C between two of them
    is a warning that says how many were.
    """

    def __init__(self, text: str, total: int | None = None, *, changes: bool = False) -> None:
        self._text, self._total, self._done = text, total, 0
        self._changes = changes
        self._started = time.monotonic()
        self._console = stderr()
        self._bar: Progress | None = None

    def advance(self, steps: int) -> None:
        """Count `steps` more."""
        self._done += steps
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif self._console.is_terminal and time.monotonic() - self._started > _QUIET_SECONDS:
            self._bar = self._show()

    def _show(self) -> "Progress":
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        bar = Progress(
            SpinnerColumn("dots" if self._console.encoding.startswith("utf") else "line"),
            TextColumn(self._text),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._console,
            transient=True,
        )
        bar.add_task("", total=self._total, completed=self._done)
        bar.start()
        return bar

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._changes and self._done and error is not None:
            warn_of_stop(self._done)
