"""Text or a regular expression to search for, in JSON that is not parsed unless it can match."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from adksess.store.document import json_bytes
from adksess.store.errors import AdksessError

_ESCAPE = re.compile(rb"\\u")
_ESCAPE_OR_SLASH = re.compile(rb"\\[u/]")


class InvalidPattern(AdksessError):
    """A regular expression that cannot be compiled."""


class Found(NamedTuple):
    """A line with a match, and where in the line the match begins and ends."""

    line: str
    start: int
    end: int


class TextPattern:
    """A text or a regular expression. `may_match` is quick, and never False for a match."""

    def __init__(self, text: str, *, is_regex: bool = False, ignore_case: bool = False) -> None:
        """Raises InvalidPattern."""
        flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
        try:
            self._pattern = re.compile(text if is_regex else re.escape(text), flags)
        except re.error as exc:
            raise InvalidPattern(f"{text!r} is not a regular expression: {exc}.") from exc
        self._is_regex, self._ignore_case = is_regex, ignore_case
        self._raw = json_bytes(text)[1:-1]
        self._escape = _ESCAPE_OR_SLASH if "/" in text else _ESCAPE

    def may_match(self, data: bytes) -> bool:
        """Return whether JSON may hold the text in any of its strings, before it is parsed.

        JSON may escape any character as `\\uXXXX` and a slash as `\\/`: such data is parsed.
        """
        if self._is_regex:
            return True
        if self._ignore_case:
            if not data.isascii() or not self._raw.isascii():
                return True
            data, raw = data.lower(), self._raw.lower()
        else:
            raw = self._raw
        if raw in data:
            return True
        # memchr first: without a backslash this takes a hundredth of the time of a search for an
        # escape
        return b"\\" in data and bool(self._escape.search(data))

    def find(self, text: str) -> Iterator[Found]:
        """Yield every line of a text that has a match, with its first match.

        A match across several lines is one item with all of these lines.
        """
        position = 0
        while match := self._pattern.search(text, position):
            start = text.rfind("\n", 0, match.start()) + 1
            end = text.find("\n", max(match.end(), start))
            end = len(text) if end < 0 else end
            yield Found(text[start:end], match.start() - start, match.end() - start)
            position = end + 1
            if position > len(text):
                return
