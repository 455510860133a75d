"""Consoles: stdout for data, stderr for messages (progress, hints, prompts, errors)."""

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from adksess.cli.render.styles import ERROR, ID, WARNING
from adksess.cli.render.text import safe_text

if TYPE_CHECKING:
    from rich.table import Table

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


def print_table(table: "Table", *, least: int = 8) -> None:
    """Print a table on stdout. Its columns that do not wrap, such as numbers, are never cut.

    Rich cuts them, or drops a column, where a terminal is too narrow. Here a column that wraps
    gets `least` characters, if it needs them, and the lines wrap if they are still too long.
    """
    from rich.cells import cell_len

    console = stdout()
    _, right, _, left = table.padding
    gap = max(left, right) if table.collapse_padding else left + right
    total = gap * (len(table.columns) - 1)
    for column in table.columns:
        widest = max((cell_len(str(cell)) for cell in (column.header, *column.cells)), default=0)
        needed = widest if column.no_wrap else min(widest, least)
        column.min_width = max(needed, column.min_width or 0)
        total += column.min_width
    is_too_narrow = total > console.width
    if is_too_narrow:
        table.width = total
    console.print(table, soft_wrap=is_too_narrow)
