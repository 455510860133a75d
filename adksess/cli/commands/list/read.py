"""Read a page of sessions with what the list shows of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from adksess.cli.commands.list.options import ListOptions, ListOutput, SortBy
from adksess.cli.empty import explain_empty
from adksess.cli.render.progress import ProgressBar
from adksess.cli.selection import keep_statuses
from adksess.conversation.overview import (
    STATUS_BYTES,
    SessionOverview,
    complete_statuses,
    read_overviews,
)
from adksess.conversation.status import SessionStatus, Status
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.page import Order, Page
from adksess.store.store import SessionStore


@dataclass(frozen=True)
class Listing:
    """A page of sessions with their overviews; `explanation` says why there are none."""

    page: Page
    rows: Sequence[SessionOverview] = field(default_factory=list)
    explanation: str = ""


async def read_listing(store: SessionStore, options: ListOptions) -> Listing:
    """Read the sessions to show, in order, and their overviews."""
    statuses: dict[SessionRef, SessionStatus] = {}
    wanted = options.filters.statuses

    async def refine(batch: list[SessionSummary]) -> list[SessionSummary]:
        return await keep_statuses(store, batch, wanted, statuses)

    by_status = options.sort is SortBy.STATUS
    with ProgressBar("Reading sessions") as bar:
        page = await store.page(
            options.filters.at(await store.now()),
            order=Order.UPDATED if by_status else Order(options.sort),
            reverse=options.reverse and not by_status,
            limit=0 if by_status else options.limit,
            before=options.before,
            use_scan=options.use_scan,
            history_bytes=STATUS_BYTES,
            refine=refine if wanted else None,
            advance=bar.advance,
        )
    if not page.sessions and not page.unreadable:
        return Listing(page, explanation=await explain_empty(store, options.filters))
    if by_status:
        if not wanted:
            statuses = await complete_statuses(store, page.sessions)
        sessions = by_urgency(page.sessions, statuses, reverse=options.reverse)
        page = replace(page, sessions=sessions[: options.limit or None], next=None)
    if options.output is ListOutput.IDS:
        return Listing(page)
    known = statuses if wanted or by_status else None
    return Listing(
        page, await read_overviews(store, page.sessions, paths=options.paths, statuses=known)
    )


def by_urgency(
    sessions: Iterable[SessionSummary],
    statuses: Mapping[SessionRef, SessionStatus],
    *,
    reverse: bool = False,
) -> list[SessionSummary]:
    """Sort sessions by status, the most urgent first; those of one status stay in their order."""
    urgency = {status: position for position, status in enumerate(Status)}

    def order(session: SessionSummary) -> int:
        found = statuses.get(session.ref)
        return urgency[found.status if found else Status.OK]

    return sorted(sessions, key=order, reverse=reverse)
