"""Follow new events of all sessions: what changed is found in the recency index.

The cost of a poll depends on the sessions that changed, not on those that exist. Every event
that is appended while a Tail polls is returned once, in the order of its session.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from adksess.conversation.history import Event, timestamp
from adksess.conversation.overview import parsed, read_statuses
from adksess.conversation.status import Status
from adksess.store.foreign_json import as_seconds
from adksess.store.keys import SessionRef

if TYPE_CHECKING:
    from adksess.store.filters import SessionFilter
    from adksess.store.models import SessionSummary
    from adksess.store.parts import SessionEnd
    from adksess.store.store import SessionStore

_MARGIN = 3
"""Seconds that are read again: a score is a whole second, and clocks of a cluster differ."""

REMEMBERED = 600
"""Seconds for which a session is remembered after its last event."""

_SKEW = REMEMBERED / 2
"""Seconds by which the clocks of applications may differ from the server's: older events of a
session that is not remembered are not new."""

_PENDING = 60
"""Seconds for which a cluster's index may name an update that the document does not show yet."""

_MAX_SEEN = 100_000
"""Sessions that are remembered before idle ones are forgotten."""

_FIRST_BYTES = 16_384
_GROWTH = 8


class NewEvent(NamedTuple):
    """An event that was appended. `number` is its position in the session, from 1."""

    ref: SessionRef
    key: str
    number: int
    event: Event


@dataclass
class _Seen:
    """How far a session has been given: the number of events, and a digest of the last one.

    `summary` holds the number of events and the last update of the summary that was read then.
    `digest` is None where the event was not read.
    """

    count: int
    summary: tuple[int, float]
    digest: bytes | None


class Tail:
    """New events of the sessions that match a filter. Call `start` once, then `poll` repeatedly.

    Sessions are found by what the recency index has of them: one that another tool writes without
    indexing it is not followed.
    """

    def __init__(
        self, store: "SessionStore", only: "SessionFilter", statuses: Sequence[Status] = ()
    ) -> None:
        self._store, self._only, self._statuses = store, only, statuses
        self._seen: dict[SessionRef, _Seen] = {}
        self._pending: dict[SessionRef, float] = {}
        self._polled = 0.0

    async def start(self, since: float = 0.0) -> list[NewEvent]:
        """Note how far the sessions are; return their events of the last `since` seconds.

        Raises ServerUnavailable.
        """
        state = await self._store.index_state()
        self._polled = state.now
        if state.is_small:
            await self._note_all()
        low = state.now - max(since, REMEMBERED)
        summaries = await self._summaries(list(await self._changed(state.sizes, low)))
        for summary in summaries:
            self._note(summary)
        if not since:
            return []
        recent = [one for one in summaries if one.updated >= state.now - since]
        for summary in recent:
            del self._seen[summary.ref]
        return await self._give(recent, state.now - since, by_time=True)

    async def poll(self) -> list[NewEvent]:
        """Return the events that were appended since the last call.

        After an error the same events are given by the next call. Raises ServerUnavailable.
        """
        state = await self._store.index_state()
        refs = await self._changed(state.sizes, self._polled - _MARGIN, now=state.now)
        changed = []
        for summary in await self._summaries(list(refs)):
            seen = self._seen.get(summary.ref)
            if seen is None or seen.summary != _position(summary):
                changed.append(summary)
        found = await self._give(changed, self._polled - _SKEW)
        self._polled = state.now
        if len(self._seen) > _MAX_SEEN:
            self._forget(state.now)
        return found

    async def _give(
        self, changed: Sequence["SessionSummary"], oldest: float, *, by_time: bool = False
    ) -> list[NewEvent]:
        """Return the new events of sessions, and note them as given once all have been read.

        Of a session that is not remembered these are the events since `oldest`, or all if it was
        created after that and not `by_time`.
        """
        noted: dict[SessionRef, _Seen] = {}
        found: list[NewEvent] = []
        summaries = {summary.ref: summary for summary in changed}
        size, left = _FIRST_BYTES, list(summaries)
        while left:
            more = []
            for end in await self._store.read_ends(left, history_bytes=size):
                summary, seen = summaries[end.ref], self._seen.get(end.ref)
                existed = by_time or _created_before(summary, oldest)
                new = _new_lines(end, seen, existed, oldest)
                if new is None:
                    more.append(end.ref)
                    continue
                last = _digest(end.events[-1]) if end.events else None
                noted[end.ref] = _Seen(end.event_count, _position(summary), last)
                first = end.event_count - len(new) + 1
                found += _events(summary, new, first)
            left, size = more, size * _GROWTH
        if self._statuses:
            refs = list(dict.fromkeys(event.ref for event in found))
            statuses = await read_statuses(self._store, refs)
            kept = {ref for ref, item in statuses.items() if item.status in self._statuses}
            found = [event for event in found if event.ref in kept]
        self._seen.update(noted)
        return _in_order(found)

    async def _note_all(self) -> None:
        only = self._only
        app = only.apps[0] if len(only.apps) == 1 else None
        async for batch in self._store.scan(app):
            for summary in batch:
                if only.match_user(summary.ref):
                    self._note(summary)

    def _note(self, summary: "SessionSummary") -> None:
        if summary.tail is not None:
            position = _position(summary)
            self._seen[summary.ref] = _Seen(summary.tail.event_count, position, None)

    async def _changed(
        self, sizes: Iterable[str], low: float, *, now: float | None = None
    ) -> dict[SessionRef, None]:
        """Return the sessions that the index has from a time on, and those that are pending."""
        apps = [app for app in sizes if self._only.match_app(app)]
        found = dict.fromkeys(self._pending)
        async for page in self._store.index_entries(apps, low=low):
            for entry in page:
                ref = self._store.keys.parse_app_member(entry.app_name, entry.member)
                if ref is not None and self._only.match_user(ref):
                    found[ref] = None
                    if now is not None:
                        self._pending[ref] = entry.score
        return found

    async def _summaries(self, refs: Sequence[SessionRef]) -> list["SessionSummary"]:
        """Return the readable sessions. Those older than their index entry stay pending."""
        summaries = [one for one in await self._store.summaries(refs) if one.tail]
        for summary in summaries:
            score = self._pending.get(summary.ref)
            if score is not None and summary.updated >= score:
                del self._pending[summary.ref]
        old = self._polled - _PENDING
        self._pending = {ref: score for ref, score in self._pending.items() if score > old}
        return summaries

    def _forget(self, now: float) -> None:
        oldest = now - REMEMBERED
        self._seen = {ref: seen for ref, seen in self._seen.items() if seen.summary[1] >= oldest}


def _new_lines(
    end: "SessionEnd", seen: _Seen | None, existed: bool, oldest: float
) -> Sequence[bytes] | None:
    """Return the events that were not given yet; None if more of the history must be read."""
    lines, is_whole = end.events, end.is_whole
    if seen is None and not existed:
        return lines if is_whole else None
    if seen is None:
        start = len(lines)
        while start and _time(lines[start - 1]) >= oldest:
            start -= 1
        return lines[start:] if start or is_whole else None
    start = len(lines) - (end.event_count - seen.count)
    if seen.digest is None or seen.count == 0:
        start = min(start, len(lines))  # a trim has dropped some
        return lines[start:] if start >= 0 else None
    if 0 < start <= len(lines) and _digest(lines[start - 1]) == seen.digest:
        return lines[start:]
    # events were dropped by a trim, or the session was deleted and created again
    for position in range(len(lines), 0, -1):
        if _digest(lines[position - 1]) == seen.digest:
            return lines[position:]
    return lines if is_whole else None


def _events(summary: "SessionSummary", lines: Sequence[bytes], first: int) -> Iterator[NewEvent]:
    for number, line in enumerate(lines, first):
        for event in parsed([line]):
            yield NewEvent(summary.ref, summary.key, number, event)


def _in_order(events: Sequence[NewEvent]) -> list[NewEvent]:
    """Sort events by time, but never against the order of their session."""
    latest: dict[SessionRef, float] = {}
    times = []
    for event in events:
        latest[event.ref] = max(latest.get(event.ref, -math.inf), timestamp(event.event))
        times.append(latest[event.ref])
    return [events[n] for n in sorted(range(len(events)), key=times.__getitem__)]


def _position(summary: "SessionSummary") -> tuple[int, float]:
    return (summary.tail.event_count if summary.tail else 0, summary.updated)


def _created_before(summary: "SessionSummary", moment: float) -> bool:
    tail = summary.tail
    return tail is None or (as_seconds(tail.created_at) or 0.0) < moment


def _time(line: bytes) -> float:
    return next((timestamp(event) for event in parsed([line])), 0.0)


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=8).digest()
