"""One page of a listing: the first sessions in an order, without holding the others."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from adksess.store.filters import SessionFilter
from adksess.store.models import SessionSummary
from adksess.store.query import Plan, Source
from adksess.store.recency import Cursor, newest_first
from adksess.store.statistics import StatisticsOperations

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
    """

    plan: Plan
    sessions: list[SessionSummary]
    total: int | None
    next: Cursor | None
    unreadable: list[SessionSummary] = field(default_factory=list)


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
        `history_bytes` is as in query(), `advance` is told how many sessions were read. Raises
        ValueError for `before` in another order.
        """
        if before is not None and order is not Order.UPDATED:
            raise ValueError("A cursor continues a listing by last update only.")
        plan = await self.plan(only, use_scan=use_scan)
        is_ordered = plan.source is Source.INDEX and order is Order.UPDATED
        held: list[SessionSummary] = []
        unreadable: list[SessionSummary] = []
        matched = 0
        batches = self.query(
            plan, only, before=before, first=limit, reverse=reverse, history_bytes=history_bytes
        )
        async for batch in _readable(batches, unreadable, advance):
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
        next_page = Cursor.of(sessions[-1]) if more else None
        return Page(plan, sessions, total, next_page, unreadable)


async def _readable(
    batches: AsyncGenerator[list[SessionSummary], None],
    unreadable: list[SessionSummary],
    advance: Callable[[int], None],
) -> AsyncGenerator[list[SessionSummary], None]:
    """The batches without the unreadable sessions, which are added to `unreadable`."""
    async with aclosing(batches):
        async for batch in batches:
            advance(len(batch))
            unreadable += [one for one in batch if one.tail is None]
            yield [one for one in batch if one.tail is not None]


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
