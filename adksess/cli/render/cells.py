"""Text in a column: its width on a terminal, cutting it, and right-to-left scripts."""

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"
MAX_NAME = 40
"""Columns that a name may take before it is cut in the middle."""

_MIN_ID = 8
_UUID_DASHES = (8, 13, 18, 23)
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def cut_end(text: str, width: int) -> str:
    """Return `text` cut to `width` columns, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + ELLIPSIS


def cut_middle(text: str, width: int = MAX_NAME, *, keep: int = 0) -> str:
    """Return `text` cut in the middle to `width` columns.

    The first `keep` characters stay, if there is room for them.
    """
    if cell_len(text) <= width:
        return text
    start = _fitting(text, width * 2 // 3)
    if start < keep <= _fitting(text, width - 1):
        start = keep
    end = width - 1 - cell_len(text[:start])
    return text[:start] + ELLIPSIS + _last(text, max(0, end))


def isolated(text: str) -> str:
    """Return `text` so that right-to-left letters in it cannot reorder the text around it."""
    if text.isascii() or not any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` filled up with blanks to `width` columns."""
    blanks = " " * max(0, width - cell_len(text))
    return blanks + isolated(text) if right else isolated(text) + blanks


def unique_prefixes(ids: Iterable[str]) -> dict[str, int]:
    """Return for each id the length of its shortest prefix that no other of the ids begins with.

    It is the whole length of an id that occurs twice, or that another one begins with.
    """
    ordered = sorted(ids)
    lengths: dict[str, int] = {}
    for position, session_id in enumerate(ordered):
        neighbors = ordered[max(0, position - 1) : position] + ordered[position + 1 : position + 2]
        shared = max((_common(session_id, other) for other in neighbors), default=0)
        lengths[session_id] = min(len(session_id), shared + 1)
    return lengths


def short_id(session_id: str, unique: int) -> str:
    """Return a UUID as its prefix of 8 characters, or more if `unique` says so; else the id."""
    if not is_uuid(session_id):
        return session_id
    length = max(_MIN_ID, unique)
    return session_id[: length + 1 if length - 1 in _UUID_DASHES else length]


def is_uuid(text: str) -> bool:
    """Return whether `text` is a UUID in its usual form."""
    return (
        len(text) == 36
        and all(text[position] == "-" for position in _UUID_DASHES)
        and all(c in "0123456789abcdefABCDEF-" for c in text)
    )


def _common(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _fitting(text: str, width: int) -> int:
    """Return how many of the first characters fit into `width` columns."""
    return bisect_left(range(len(text)), True, key=lambda n: cell_len(text[: n + 1]) > width)


def _last(text: str, width: int) -> str:
    """Return the end of `text` that fits into `width` columns, never half a letter."""
    start = len(text)
    while start and cell_len(text[start - 1 :]) <= width:
        start -= 1
    while start < len(text) and unicodedata.combining(text[start]):
        start += 1
    return text[start:]
