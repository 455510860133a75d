"""One page of a listing: the first sessions in an order, without holding the others."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from adksess.store.cursor import Cursor, Span, newest_first
from adksess.store.filters import SessionFilter
from adksess.store.models import SessionSummary
from adksess.store.query import Plan, Source
from adksess.store.statistics import StatisticsOperations

_CHECKED = 50
"""Sessions of each app that are checked for an update during a listing. Where there are more, one
that matches is taken to be among them.
"""

_HELD = 4
"""Sessions held in memory per requested session, before the last ones are dropped."""


class Order(StrEnum):
    """What sessions are sorted by; each starts with the newest, the most or the longest."""

    UPDATED = "updated"
    CREATED = "created"
    EVENTS = "events"
    SIZE = "size"
    TTL = "ttl"


@dataclass(frozen=True)
class Page:
    """The first sessions of a listing.

    `total` is how many match, None if that was not counted; `next` continues the listing, None
    at its end or where the order is not by last update. `unreadable` are those found on the way.
    `updated_since` is set at the end of a listing during which sessions were updated: those may be
    on none of its pages. It is when the first page was read (Unix seconds).
    """

    plan: Plan
    sessions: list[SessionSummary]
    total: int | None
    next: Cursor | None
    unreadable: list[SessionSummary] = field(default_factory=list)
    updated_since: float | None = None


Refine = Callable[[list[SessionSummary]], Awaitable[list[SessionSummary]]]
"""A filter that needs more than a summary: returns the sessions of a batch that match."""


@dataclass
class _FirstSessions:
    """Holds the first sessions of an order, `limit` and one more (all for 0).

    `is_sorted`: the sessions are added in this order.
    """

    order: Order
    reverse: bool
    limit: int
    is_sorted: bool
    count: int = 0
    held: list[SessionSummary] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether sessions that follow are none of the first."""
        return self.is_sorted and bool(self.limit) and len(self.held) > self.limit

    def add(self, sessions: Sequence[SessionSummary]) -> None:
        """Add sessions, and drop those that are not among the first."""
        self.count += len(sessions)
        self.held += sessions
        if self.limit and len(self.held) > _HELD * self.limit + 1:
            self.held = self.ordered()
            del self.held[self.limit + 1 :]

    def ordered(self) -> list[SessionSummary]:
        """The sessions in order."""
        return self.held if self.is_sorted else in_order(self.held, self.order, self.reverse)


class PageOperations(StatisticsOperations):
    """Operations that list sessions page by page."""

    async def page(
        self,
        only: SessionFilter,
        *,
        order: Order = Order.UPDATED,
        reverse: bool = False,
        limit: int = 50,
        before: Cursor | None = None,
        use_scan: bool = False,
        history_bytes: int = 0,
        refine: Refine | None = None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Page:
        """Return the first `limit` sessions that match (all for 0).

        `before` continues after a page by last update, `use_scan` reads every key,
        `history_bytes` is as in query(), `advance` is told how many sessions were read. No session
        is on two pages: one that is updated before its page is read, is on none. Raises
        ValueError for `before` in another order.
        """
        if before is not None and order is not Order.UPDATED:
            raise ValueError("A cursor continues a listing by last update only.")
        plan = await self.plan(only, use_scan=use_scan)
        began = before.began if before else plan.state.now
        is_part = before is not None or (reverse and bool(limit) and order is Order.UPDATED)
        # oldest first, a session that is updated meanwhile would come again on a later page
        is_first = reverse and is_part and before is None
        left_out = Span.since(plan.state.now, plan.state.now) if is_first else None
        is_sorted = plan.source is Source.INDEX and order is Order.UPDATED
        first = _FirstSessions(order, reverse, limit, is_sorted)
        unreadable: list[SessionSummary] = []
        batches = self.query(
            plan, only, before=before, first=limit, reverse=reverse, history_bytes=history_bytes
        )
        async with aclosing(_readable(batches, unreadable, advance, left_out)) as readable:
            async for batch in readable:
                first.add(await refine(batch) if refine else batch)
                if first.is_complete:
                    break
        found = first.ordered()
        sessions = found[:limit] if limit else found
        total: int | None = first.count
        if first.is_complete or before is not None:
            total = None if refine else await self.count(plan, only)
        if len(found) > len(sessions) and order is Order.UPDATED:
            # one that was updated after its entry was read is not in its place
            last = in_order(sessions, order, reverse)[-1]
            return Page(plan, sessions, total, Cursor.of(last, began), unreadable)
        if is_part and began is not None and await self.has_updates(plan, only, began):
            return Page(plan, sessions, total, None, unreadable, began)
        return Page(plan, sessions, total, None, unreadable)

    async def has_updates(self, plan: Plan, only: SessionFilter, began: float) -> bool:
        """Whether sessions that match were written since a listing began, in Unix seconds."""
        span = Span.since(began, plan.state.now)
        apps = [app for app in plan.state.sizes if only.match_app(app)]
        bounds = (math.floor(span.last), math.floor(span.first), "LIMIT", 0, _CHECKED)
        answers = await self._client.run_all(
            [("ZREVRANGEBYSCORE", self.keys.app_sessions(app), *bounds) for app in apps]
        )
        found = [
            ref
            for app, members in zip(apps, answers, strict=True)
            for member in members
            if (ref := self.keys.parse_app_member(app, member))
        ]
        if any(len(members) == _CHECKED for members in answers):
            return True  # there may be more
        return any(only.match(one) and span.holds(one) for one in await self.summaries(found))


async def _readable(
    batches: AsyncGenerator[list[SessionSummary], None],
    unreadable: list[SessionSummary],
    advance: Callable[[int], None],
    left_out: Span | None,
) -> AsyncGenerator[list[SessionSummary], None]:
    """The batches without sessions that were updated in a span, and without unreadable ones.

    The latter are added to `unreadable`.
    """
    async with aclosing(batches):
        async for batch in batches:
            advance(len(batch))
            unreadable += [one for one in batch if one.tail is None]
            readable = [one for one in batch if one.tail is not None]
            if left_out is not None:
                readable = [one for one in readable if not left_out.holds(one)]
            yield readable


def in_order(
    sessions: Iterable[SessionSummary], order: Order, reverse: bool
) -> list[SessionSummary]:
    """Sort readable sessions."""
    if order is Order.UPDATED:
        ordered = newest_first(sessions)
        return ordered[::-1] if reverse else ordered
    return sorted(sessions, key=_SORT_KEYS[order], reverse=not reverse)


_SORT_KEYS: dict[Order, Callable[[SessionSummary], Any]] = {
    Order.CREATED: lambda s: (s.tail.created_at if s.tail else "", s.key),
    Order.EVENTS: lambda s: (s.tail.event_count if s.tail else 0, s.key),
    Order.SIZE: lambda s: (s.size_bytes, s.key),
    Order.TTL: lambda s: (math.inf if s.ttl_seconds is None else s.ttl_seconds, s.key),
}
