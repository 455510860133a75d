"""The order of listings by last update, and positions in it."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from adksess.store.errors import InvalidCursor
from adksess.store.models import SessionSummary

_CURSOR = re.compile(r"(-?[0-9]{1,18})-([0-9a-f]{16})(?:-([0-9]{1,18}))?")

_PAGE_SECONDS = 3_600
"""Longer than reading a page takes. A session with a later update was not updated meanwhile, but
written by a program whose clock is wrong.
"""


class Span(NamedTuple):
    """The time between two others, in Unix seconds."""

    first: float
    last: float

    @classmethod
    def since(cls, began: float, now: float) -> "Span":
        """Return the time from the first page of a listing to the end of the one read now."""
        return cls(began, now + _PAGE_SECONDS)

    def holds(self, session: SessionSummary) -> bool:
        """Whether a session was updated then."""
        return self.first < session.updated < self.last


class Cursor(NamedTuple):
    """A position in the order of all sessions: newest first, then by a digest of the key.

    `began` is when the first page was read, in Unix seconds of the server's clock, if known.
    """

    updated: float
    digest: str
    began: float | None = None

    @classmethod
    def of(cls, summary: SessionSummary, began: float | None = None) -> "Cursor":
        """Return the position of a session."""
        digest = blake2b(summary.key.encode(), digest_size=8).hexdigest()
        return cls(summary.updated, digest, began)

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Parse what str() returned. Raises InvalidCursor."""
        parts = _CURSOR.fullmatch(text)
        if parts is None:
            raise InvalidCursor(f"{text!r} is not a cursor: use one that `adksess list` printed.")
        began = int(parts[3]) / 1_000_000 if parts[3] else None
        return cls(int(parts[1]) / 1_000_000, parts[2], began)

    def __str__(self) -> str:
        position = f"{round(self.updated * 1_000_000)}-{self.digest}"
        return position if self.began is None else f"{position}-{round(self.began * 1_000_000)}"

    def precedes(self, summary: SessionSummary, *, reverse: bool = False) -> bool:
        """Whether a session comes after this position, or before it in the reverse order."""
        other = Cursor.of(summary)
        mine, theirs = (-self.updated, self.digest), (-other.updated, other.digest)
        return mine > theirs if reverse else mine < theirs


def newest_first(sessions: Iterable[SessionSummary]) -> list[SessionSummary]:
    """Sort sessions by their cursors."""
    dated = sorted(((one.updated, one) for one in sessions), key=itemgetter(0), reverse=True)
    ordered = [one for _, one in dated]
    for position in range(1, len(dated)):
        if dated[position - 1][0] == dated[position][0]:
            return [one for _, group in groupby(dated, key=itemgetter(0)) for one in _tied(group)]
    return ordered


def _tied(group: Iterable[tuple[float, SessionSummary]]) -> list[SessionSummary]:
    """Sort sessions of one moment by their digests."""
    same = [one for _, one in group]
    return same if len(same) == 1 else sorted(same, key=lambda one: Cursor.of(one).digest)
