"""Text for people: escaping of stored text, counts, sizes and ages."""

import time
from typing import Any

from rich.filesize import decimal as human_size

from adksess.cli.render.streams import escape_unencodable

__all__ = ["counted", "human_size", "relative_time", "safe_text", "value_text"]

# Control characters, and those that reorder a line: either can disguise what is stored.
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


def safe_text(value: str, *, multiline: bool = False) -> str:
    """`value` with control and bidirectional characters shown as escapes, such as `\\x1b`.

    Newlines and tabs stay only when `multiline`. For Rich's markup, wrap the result in a Text.
    """
    return escape_unencodable(value).translate(_UNSAFE_IN_LINES if multiline else _UNSAFE)


def value_text(value: Any) -> str:
    """A value of JSON as the text of a cell: strings as they are, null as nothing, else JSON.

    Not escaped: use safe_text() before printing it.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    from adksess.store.document import json_bytes

    return json_bytes(value).decode()


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 session`, `2,000 sessions`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def relative_time(timestamp: float, now: float | None = None) -> str:
    """How long ago a Unix time was: `just now`, `3 min ago`, `2 h ago`, `5 days ago`."""
    seconds = (time.time() if now is None else now) - timestamp
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            count = int(seconds // size)
            plural = "s" if unit == "day" and count > 1 else ""
            return f"{count} {unit}{plural} ago"
    return "just now"
