"""The recency index: sessions newest first, read until there are enough.

Each app has a sorted set of its sessions by the second of their last update. A walk takes the
newest complete seconds of every app, reads their tails, and continues with older ones.
"""

import math
from array import array
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from adksess.store.cursor import Cursor, newest_first
from adksess.store.errors import WrongType
from adksess.store.filters import SessionFilter
from adksess.store.keys import COMPLETE, LACKS_USER_ENTRIES, SessionRef
from adksess.store.models import SessionSummary
from adksess.store.prefetch import prefetch
from adksess.store.scan import ScanOperations, is_record, to_summaries
from adksess.store.scripts import Argument

SMALL = 10_000
"""Keys in a database up to which reading all of them is as quick as the index."""

PAGE = 1_000
"""Index entries that are read at a time."""

_PAGE_GROWTH = 4

_CLOCK_MARGIN = 2
"""Seconds by which scores may differ from the times in documents: scores are whole seconds, and
the nodes of a cluster have clocks of their own.
"""


@dataclass(frozen=True)
class IndexState:
    """The state of the recency index.

    `key_count` is the number of keys in the database. `is_complete`: a full pass has found every
    session in the index, no app's index is `missing`, and no key of it is of another type
    (`wrong_type`). `sizes` is the number of entries by app, `now` the server's time (Unix seconds).
    `lacks_user_entries`: some user's index was lost.
    """

    key_count: int
    is_complete: bool
    sizes: dict[str, int]
    missing: tuple[str, ...]
    now: float
    wrong_type: tuple[str, ...] = ()
    lacks_user_entries: bool = False

    @property
    def is_small(self) -> bool:
        """Whether reading every key is quick."""
        return self.key_count <= SMALL

    @property
    def is_used(self) -> bool:
        """Whether listings read the index instead of every key."""
        return self.is_complete and not self.is_small


class IndexEntry(NamedTuple):
    """An entry of an app's recency index. `score` is the last update in whole Unix seconds."""

    score: float
    app_name: str
    member: bytes


_Tails: TypeAlias = "tuple[dict[bytes, IndexEntry], dict[bytes, SessionRef], list[Any]]"
"""Entries and names of some documents by their keys, and the answers to reading their tails."""


@dataclass
class _AppReader:
    """Reads one app's index in complete seconds: newest first, or oldest first if `reverse`."""

    app_name: str
    key: bytes
    low: str
    high: str
    reverse: bool
    entries: list[IndexEntry] = field(default_factory=list)
    is_done: bool = False

    def next_call(self, count: int) -> tuple[Argument, ...]:
        """The command that reads the next entries."""
        command, bounds = self._command(self.low, self.high)
        return (command, self.key, *bounds, "WITHSCORES", "LIMIT", 0, count)

    def whole_call(self, second: float) -> tuple[Argument, ...]:
        """The command that reads every entry of one second."""
        command, bounds = self._command(_score(second), _score(second))
        return (command, self.key, *bounds, "WITHSCORES")

    def take(self, answer: Sequence[Any], count: int) -> float | None:
        """Add the answer to next_call(). Returns a second that has to be read whole, or None.

        The last second of a full answer may be cut: it is left for the next call, unless the answer
        holds nothing else.
        """
        pairs = _pairs(answer)
        self.is_done = len(pairs) < count
        if not self.is_done:
            last = pairs[-1][1]
            pairs = [pair for pair in pairs if pair[1] != last]
            if not pairs:
                return last
        self.add(pairs)
        return None

    def add(self, pairs: Sequence[tuple[bytes, float]]) -> None:
        """Add entries of complete seconds."""
        if pairs:
            bound = f"({_score(pairs[-1][1])}"
            if self.reverse:
                self.low = bound
            else:
                self.high = bound
            self.entries += [IndexEntry(score, self.app_name, member) for member, score in pairs]

    def split(self, limit: float) -> list[IndexEntry]:
        """Remove and return the entries up to a score, in the order of reading."""
        sign = -1 if self.reverse else 1
        ready = [entry for entry in self.entries if sign * entry.score >= sign * limit]
        self.entries = self.entries[len(ready) :]
        return ready

    def _command(self, low: str, high: str) -> tuple[str, tuple[str, str]]:
        if self.reverse:
            return "ZRANGEBYSCORE", (low, high)
        return "ZREVRANGEBYSCORE", (high, low)


class RecencyOperations(ScanOperations):
    """Operations that read the recency index."""

    async def index_state(self) -> IndexState:
        """Read whether the recency index exists and is complete."""
        marker, names, now = await self._answers(
            [
                ("GET", self.keys.session_index()),
                ("SMEMBERS", self.keys.session_apps()),
                ("TIME",),
            ]
        )
        wrong = [] if is_record(marker) else [self.keys.session_index()]
        if isinstance(names, WrongType):
            wrong.append(self.keys.session_apps())
            names = set()
        marks = {COMPLETE, LACKS_USER_ENTRIES}
        apps = sorted(name.decode("utf-8", "replace") for name in names if name not in marks)
        counts = await self._answers([("ZCARD", self.keys.app_sessions(app)) for app in apps])
        sizes = dict(zip(apps, counts, strict=True))
        for app in [app for app, count in sizes.items() if isinstance(count, WrongType)]:
            wrong.append(self.keys.app_sessions(app))
            del sizes[app]
        missing = tuple(app for app, count in sizes.items() if not count)
        return IndexState(
            key_count=await self.key_count(),
            is_complete=marker is not None and COMPLETE in names and not missing and not wrong,
            sizes=sizes,
            missing=missing,
            now=int(now[0]) + int(now[1]) / 1_000_000,
            wrong_type=tuple(key.decode() for key in wrong),
            lacks_user_entries=LACKS_USER_ENTRIES in names,
        )

    async def walk(
        self,
        state: IndexState,
        only: SessionFilter,
        *,
        before: Cursor | None = None,
        first: int = 0,
        reverse: bool = False,
        history_bytes: int = 0,
    ) -> AsyncGenerator[list[SessionSummary], None]:
        """Yield matching sessions newest first, in batches; stop iterating when there are enough.

        `before` starts after that position; `first` is the size of the first batch, 0 for a large
        one; `reverse` walks from the oldest; `history_bytes` is how much of each history to read.
        Each session comes once. A walk to the end misses no session that exists throughout: those
        updated during it come last.
        """
        low, high = _bounds(only)
        if before is not None and reverse:
            low = max(low, math.floor(before.updated))
        elif before is not None:
            high = min(high, math.floor(before.updated))
        apps = [app for app in state.sizes if only.match_app(app)]
        began = math.floor(state.now) - _CLOCK_MARGIN
        shown = array("q")
        pages = self.index_entries(
            apps,
            low=low,
            high=min(high, began - 1) if reverse else high,
            first=first + 1 if first else PAGE,
            reverse=reverse,
        )
        if first:  # the first batch is often enough: nothing is read ahead of it
            batches = self._read_pages(pages, only, history_bytes)
        else:
            batches = prefetch(self._read_pages(prefetch(pages), only, history_bytes))
        async for found in batches:
            matching = await self._matching(found, only, before, reverse=reverse)
            shown.extend(hash(one.key) for one in matching)
            yield matching
        if high < began:
            return
        # Sessions that were updated during the walk have moved to the newest. Oldest first: one
        # that is updated again then moves to where it is still to be read.
        moved: dict[int, IndexEntry] = {}
        async for page in self.index_entries(apps, low=max(low, began), high=high, reverse=True):
            moved.update((hash(key.decode()), one) for key, one in self._keyed(page))
        for digest in shown:
            moved.pop(digest, None)
        found = await self._read_page(list(moved.values()), only, history_bytes)
        if matching := await self._matching(found, only, before, reverse=reverse):
            yield matching

    async def index_entries(
        self,
        apps: Sequence[str],
        *,
        low: float = -math.inf,
        high: float = math.inf,
        first: int = PAGE,
        reverse: bool = False,
    ) -> AsyncGenerator[list[IndexEntry], None]:
        """Yield index entries with scores from `high` down to `low`, in complete seconds.

        Upwards if `reverse`. Reads about `first` entries of each app, then larger batches.
        """
        readers = [
            _AppReader(app, self.keys.app_sessions(app), _score(low), _score(high), reverse)
            for app in apps
        ]
        sign = -1 if reverse else 1
        count = first
        while readers:
            await self._refill(readers, count)
            readers = [reader for reader in readers if reader.entries or not reader.is_done]
            if any(not reader.entries for reader in readers):
                continue
            # Up to this score the entries of every app are known.
            reached = [sign * r.entries[-1].score for r in readers if not r.is_done]
            limit = sign * max(reached, default=-math.inf)
            page = [entry for reader in readers for entry in reader.split(limit)]
            page.sort(key=itemgetter(0), reverse=not reverse)
            for few in _complete_seconds(page, count):
                yield few
            count = min(count * _PAGE_GROWTH, PAGE)

    async def prune_entries(self, entries: Iterable[IndexEntry]) -> None:
        """Remove entries whose session does not exist, if it still does not."""
        by_app: dict[str, list[bytes]] = {}
        for entry in entries:
            by_app.setdefault(entry.app_name, []).append(entry.member)
        await self.prune_app_sessions(by_app)

    async def _refill(self, readers: Sequence[_AppReader], count: int) -> None:
        """Read the next entries of the apps that have none left."""
        waiting = [reader for reader in readers if not reader.entries and not reader.is_done]
        answers = await self._client.run_all([reader.next_call(count) for reader in waiting])
        for reader, answer in zip(waiting, answers, strict=True):
            second = reader.take(answer, count)
            if second is not None:
                reader.add(_pairs(await self._client.command(*reader.whole_call(second))))

    async def _read_pages(
        self,
        pages: AsyncGenerator[list[IndexEntry], None],
        only: SessionFilter,
        history_bytes: int,
    ) -> AsyncGenerator[_Tails, None]:
        async for page in pages:
            yield await self._read_page(page, only, history_bytes)

    async def _read_page(
        self, page: Sequence[IndexEntry], only: SessionFilter, history_bytes: int
    ) -> _Tails:
        """Read the tails of those entries whose names match."""
        entries: dict[bytes, IndexEntry] = {}
        refs: dict[bytes, SessionRef] = {}
        has_names = only.has_names
        for key, entry in self._keyed(page):
            ref = self.keys.parse_app_member(entry.app_name, entry.member)
            if ref is not None and (not has_names or only.match_user(ref)):
                entries[key], refs[key] = entry, ref
        return entries, refs, await self._tails(list(refs), history_bytes)

    async def _matching(
        self, found: _Tails, only: SessionFilter, before: Cursor | None, *, reverse: bool
    ) -> list[SessionSummary]:
        """The sessions that match, in order. Stale entries are removed."""
        entries, refs, answers = found
        sessions = to_summaries(refs, answers)
        if len(sessions) < len(refs):
            existing = {one.key.encode() for one in sessions}
            await self.prune_entries(one for key, one in entries.items() if key not in existing)
        if only.needs_tail:
            sessions = [one for one in sessions if only.match(one)]
        if before is not None:
            sessions = [one for one in sessions if before.precedes(one, reverse=reverse)]
        ordered = newest_first(sessions)
        return ordered[::-1] if reverse else ordered

    def _keyed(self, page: Sequence[IndexEntry]) -> Iterator[tuple[bytes, IndexEntry]]:
        """The keys of the entries' sessions, app by app."""
        by_app: dict[str, list[IndexEntry]] = {}
        for entry in page:
            by_app.setdefault(entry.app_name, []).append(entry)
        for app, entries in by_app.items():
            yield from zip(
                self.keys.app_documents(app, [one.member for one in entries]), entries, strict=True
            )


def _complete_seconds(page: Sequence[IndexEntry], count: int) -> Iterator[list[IndexEntry]]:
    """Split sorted entries into pages of about `count` that do not divide a second."""
    start = 0
    while start < len(page):
        end = start + count
        while end < len(page) and page[end].score == page[end - 1].score:
            end += 1
        yield list(page[start:end])
        start = end


def _bounds(only: SessionFilter) -> tuple[float, float]:
    """The lowest and the highest score that a matching session can have."""
    low = -math.inf if only.updated_from is None else only.updated_from - _CLOCK_MARGIN
    high = math.inf if only.updated_until is None else only.updated_until + _CLOCK_MARGIN
    return low, high


def _pairs(answer: Sequence[Any]) -> list[tuple[bytes, float]]:
    """Members and scores, which RESP3 sends as pairs and RESP2 one after the other."""
    if answer and isinstance(answer[0], list | tuple):
        return [(member, float(score)) for member, score in answer]
    flat = iter(answer)
    return [(member, float(score)) for member, score in zip(flat, flat, strict=True)]


def _score(value: float) -> str:
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    return f"{value:.17g}"
