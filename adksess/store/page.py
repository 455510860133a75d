"""One page of a listing: the first sessions in an order, without holding the others."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
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
"""Sessions of each app that are checked for an update during a listing: of more, one matches."""

_HELD = 4
"""Sessions kept in memory per requested session, before the last ones are dropped."""


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
        is_ordered = plan.source is Source.INDEX and order is Order.UPDATED
        held: list[SessionSummary] = []
        unreadable: list[SessionSummary] = []
        matched = 0
        batches = self.query(
            plan, only, before=before, first=limit, reverse=reverse, history_bytes=history_bytes
        )
        async for batch in _readable(batches, unreadable, advance, left_out):
            found = await refine(batch) if refine else batch
            matched += len(found)
            held += found
            if limit and len(held) > _HELD * limit + 1:
                held = held if is_ordered else in_order(held, order, reverse=reverse)
                del held[limit + 1 :]
            if is_ordered and limit and len(held) > limit:
                matched = -1
                break
        if not is_ordered:
            held = in_order(held, order, reverse=reverse)
        sessions = held[:limit] if limit else held
        more = len(held) > len(sessions) and order is Order.UPDATED
        total: int | None = matched
        if matched < 0 or before is not None:
            total = None if refine else await self.count(plan, only)
        if more:
            # one that was updated after its entry was read is not in its place
            last = in_order(sessions, order, reverse=reverse)[-1]
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
            return True
        return any(only.match(one) and span.holds(one) for one in await self.summaries(found))


async def _readable(
    batches: AsyncGenerator[list[SessionSummary], None],
    unreadable: list[SessionSummary],
    advance: Callable[[int], None],
    left_out: Span | None,
) -> AsyncGenerator[list[SessionSummary], None]:
    """The batches without the unreadable sessions, which are added to `unreadable`.

    Without sessions that were updated in the span, too.
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
    sessions: Iterable[SessionSummary], order: Order, *, reverse: bool = False
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
