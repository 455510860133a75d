"""Consoles: stdout for data, stderr for messages (progress, hints, prompts, errors)."""

import os
import sys

from rich.console import Console
from rich.text import Text

from adksess.cli.render.styles import ERROR, ID, WARNING
from adksess.cli.render.text import safe_text

# Rich assumes 80 columns where there is no terminal, and would cut rows of data to fit.
_PIPE_WIDTH = 1000

_STYLES = {"error": f"bold {ERROR}", "warning": f"bold {WARNING}", "note": f"bold {ID}"}


def stdout() -> Console:
    """The console for data."""
    return _console(is_stderr=False)


def is_terminal() -> bool:
    """Whether stdout is a terminal. Rich also believes FORCE_COLOR, which a pipe may have."""
    return sys.stdout.isatty()


def stderr() -> Console:
    """The console for messages: progress, hints, prompts, errors."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    # Made for each use, since tests and pagers replace the streams. Rich itself reads NO_COLOR.
    stream = sys.stderr if is_stderr else sys.stdout
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=is_stderr, width=_PIPE_WIDTH if wide else None, highlight=False, emoji=False
    )


def message(kind: str, sentence: str) -> Text:
    """`error: sentence`, or a `warning` or `note`, control characters in the sentence escaped."""
    return Text.assemble((f"{kind}: ", _STYLES[kind]), safe_text(sentence, multiline=True))
