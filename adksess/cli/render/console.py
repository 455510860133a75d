"""Everything that is printed: data on stdout, talk on stderr, nothing that a terminal obeys."""

import os
import re
import sys
import time
from collections.abc import Iterable
from itertools import islice
from typing import Any

from rich.console import Console
from rich.filesize import decimal as human_size
from rich.text import Text

__all__ = [
    "human_size",
    "json_for_screens",
    "json_text",
    "relative_time",
    "safe_text",
    "stderr",
    "stdout",
    "talk",
    "write_json",
    "write_json_array",
]

# Rich assumes 80 columns where there is no terminal, and would cut rows of data to fit.
_PIPE_WIDTH = 1000

_ARRAY_BATCH = 500

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}

# Control characters, and those that reorder a line: either can make a screen show what is not so.
_UNSAFE = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    )
} | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}
_UNSAFE_IN_LINES = {code: shown for code, shown in _UNSAFE.items() if chr(code) not in "\n\t"}

_NOT_FOR_SCREENS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def stdout() -> Console:
    """The console for data."""
    return _console(is_stderr=False)


def stderr() -> Console:
    """The console for talk: progress, hints, prompts, errors."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    # Made for each use, since tests and pagers replace the streams. NO_COLOR is Rich's own doing.
    stream = sys.stderr if is_stderr else sys.stdout
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=is_stderr, width=_PIPE_WIDTH if wide else None, highlight=False, emoji=False
    )


def talk(kind: str, sentence: str) -> Text:
    """`error: sentence`, or a `warning` or `note`, safe to print whatever the sentence quotes."""
    return Text.assemble((f"{kind}: ", _STYLES[kind]), safe_text(sentence, multiline=True))


def safe_text(value: str, *, multiline: bool = False) -> str:
    """`value` with control and bidirectional characters shown as escapes, such as `\\x1b`.

    Newlines and tabs stay only when `multiline`. For Rich's markup, wrap the result in a Text.
    """
    # A lone surrogate cannot be written to a terminal at all.
    printable = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return printable.translate(_UNSAFE_IN_LINES if multiline else _UNSAFE)


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON. What a terminal might obey is escaped, which means the same in JSON.

    JSON escapes the ASCII controls itself; the others are legal in it, but not on a screen.
    """
    from adksess.store.document import json_bytes

    data = json_bytes(value, indent=indent)
    text = data.decode()
    if data.isascii() and b"\x7f" not in data:
        return text
    return json_for_screens(text)


def json_for_screens(text: str) -> str:
    """JSON text with what a terminal might obey escaped: the same to every reader of JSON."""
    return _NOT_FOR_SCREENS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON on stdout, and a newline."""
    sys.stdout.write(json_text(value, indent=indent) + "\n")


def write_json_array(values: Iterable[Any]) -> None:
    """Print a JSON array on stdout, as write_json() would, without holding all of it at once."""
    values, separator = iter(values), "[\n"
    while batch := list(islice(values, _ARRAY_BATCH)):
        sys.stdout.write(separator + json_text(batch).removeprefix("[\n").removesuffix("\n]"))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def relative_time(timestamp: float, now: float | None = None) -> str:
    """How long ago a Unix time was: `just now`, `3 min ago`, `2 h ago`, `5 days ago`."""
    seconds = (time.time() if now is None else now) - timestamp
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "just now"
