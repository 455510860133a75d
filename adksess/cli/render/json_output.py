"""JSON and NDJSON on stdout, with the characters escaped that a terminal would interpret."""

import re
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

from adksess.cli.render.streams import escape_unencodable

_BATCH = 500

_NOT_FOR_SCREENS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON, with characters escaped that a terminal might interpret.

    JSON has to escape ASCII control characters only: this escapes the others too.
    """
    from adksess.store.document import json_bytes

    return _shown(json_bytes(value, indent=indent))


def json_for_screens(text: str) -> str:
    """JSON text with characters escaped that a terminal might interpret: the same JSON."""
    return escape_unencodable(_NOT_FOR_SCREENS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON on stdout, and a newline."""
    sys.stdout.write(json_text(value, indent=indent) + "\n")


def write_json_lines(values: Iterable[Any]) -> None:
    """Print JSON on stdout, a line for each value, many lines in one write."""
    from adksess.store.document import json_bytes

    values = iter(values)
    while batch := list(islice(values, _BATCH)):
        sys.stdout.write(_shown(b"\n".join(map(json_bytes, batch))) + "\n")


class JsonArray:
    """A JSON array on stdout, as write_json() prints one, without holding all of it at once."""

    def __init__(self) -> None:
        self._separator = "[\n"

    def write(self, values: Iterable[Any]) -> None:
        """Print the next values."""
        values = iter(values)
        while batch := list(islice(values, _BATCH)):
            text = json_text(batch).removeprefix("[\n").removesuffix("\n]")
            sys.stdout.write(self._separator + text)
            self._separator = ",\n"

    def close(self) -> None:
        """Print the end of the array."""
        sys.stdout.write("[]\n" if self._separator == "[\n" else "\n]\n")


def _shown(data: bytes) -> str:
    text = data.decode()
    return text if data.isascii() and b"\x7f" not in data else json_for_screens(text)
