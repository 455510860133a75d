"""Queries: the sessions that match a filter, from the smallest source that has them all."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import Enum

from adksess.store.cursor import Cursor, Span, newest_first
from adksess.store.errors import ServerUnavailable, WrongType
from adksess.store.filters import SessionFilter
from adksess.store.models import SessionSummary
from adksess.store.recency import IndexState, RecencyOperations


class Source(Enum):
    """What a query reads."""

    INDEX = "index"
    USER_INDEX = "user index"
    SCAN = "scan"


@dataclass(frozen=True)
class Plan:
    """How a query is answered, and the state of the index when that was decided."""

    source: Source
    state: IndexState
    has_user_filter: bool = False

    @property
    def lacks_index(self) -> bool:
        """Whether a large database is scanned because its index is not complete."""
        return self.source is Source.SCAN and not self.state.is_small and not self.state.is_complete

    @property
    def advice(self) -> str:
        """Why more was read than necessary and what to do about it, or nothing."""
        if self.lacks_index and self.state.wrong_type:
            return (
                f"Every key was read: {self.state.wrong_type[0]} is not what adksess wrote. Rename "
                "or delete that key with redis-cli, then run adksess doctor --fix."
            )
        if self.lacks_index:
            return "Every key was read: run adksess doctor --fix once, and lists answer at once."
        if self.has_user_filter and self.source is Source.INDEX and self.state.lacks_user_entries:
            return (
                "The index of every user was read, because a user's own was lost: run "
                "adksess doctor --fix once, and lists answer at once."
            )
        return ""


class QueryOperations(RecencyOperations):
    """Operations that answer which sessions match a filter."""

    async def plan(
        self, only: SessionFilter, *, use_scan: bool = False, by_user: bool = True
    ) -> Plan:
        """Choose the source: users' indexes, the recency index, or a scan of every key.

        A small database is scanned, and so is one whose index is not known to be complete. Where
        a user's index was lost, sessions of a user are found in the recency index. So they are
        without `by_user`: a loss that no append has noticed yet is then without effect, but every
        name in the index is read.
        """
        state = await self.index_state()
        if use_scan or not state.is_used:
            return Plan(Source.SCAN, state)
        if only.users and by_user and not state.lacks_user_entries:
            return Plan(Source.USER_INDEX, state, has_user_filter=True)
        return Plan(Source.INDEX, state, has_user_filter=bool(only.users))

    async def query(
        self,
        plan: Plan,
        only: SessionFilter,
        *,
        before: Cursor | None = None,
        first: int = 0,
        reverse: bool = False,
        history_bytes: int = 0,
    ) -> AsyncGenerator[list[SessionSummary], None]:
        """Yield the sessions that match, in batches.

        Newest first from the recency index (oldest first if `reverse`), otherwise unordered.
        `before` leaves out those up to that position and, if `reverse`, those updated since its
        listing began, which an earlier page may have shown; `first` is how many are wanted at
        least, 0 for all; `history_bytes` is how much of each history to read from the recency
        index.
        """
        if plan.source is Source.INDEX:
            source = self.walk(
                plan.state,
                only,
                before=before,
                first=first,
                reverse=reverse,
                history_bytes=history_bytes,
            )
        elif plan.source is Source.USER_INDEX:
            source = self._of_users(plan.state, only)
        else:
            source = self._scanned(plan, only)
        shown = None
        if before is not None and before.began is not None and reverse:
            shown = Span.since(before.began, plan.state.now)
        async with aclosing(source):
            async for batch in source:
                if shown is not None:
                    batch = [one for one in batch if not (one.tail and shown.holds(one))]
                if before is not None and plan.source is not Source.INDEX:
                    batch = [one for one in batch if before.precedes(one, reverse=reverse)]
                yield batch

    async def count(self, plan: Plan, only: SessionFilter) -> int | None:
        """Count the sessions that match in the recency index; None if it cannot tell.

        Sessions that have just expired may be counted.
        """
        if plan.source is not Source.INDEX or only.users or only.user_globs or only.no_ttl:
            return None
        apps = [app for app in plan.state.sizes if only.match_app(app)]
        if only.updated_from is None and only.updated_until is None:
            return sum(plan.state.sizes[app] for app in apps)
        low = "-inf" if only.updated_from is None else only.updated_from
        high = "+inf" if only.updated_until is None else only.updated_until
        counts = await self._client.run_all(
            [("ZCOUNT", self.keys.app_sessions(app), low, high) for app in apps]
        )
        return sum(map(int, counts))

    async def sessions_of_user(self, app_name: str, user_id: str) -> list[SessionSummary]:
        """Return one user's sessions; where the user's index is of another type, from all keys."""
        try:
            return await self.user_summaries(app_name, user_id)
        except WrongType:
            return [one async for batch in self.scan(app_name, user_id) for one in batch]

    async def _of_users(
        self, state: IndexState, only: SessionFilter
    ) -> AsyncGenerator[list[SessionSummary], None]:
        for app in filter(only.match_app, state.sizes):
            for user in only.users:
                found = await self.sessions_of_user(app, user)
                yield newest_first(one for one in found if only.match(one))

    async def _scanned(
        self, plan: Plan, only: SessionFilter
    ) -> AsyncGenerator[list[SessionSummary], None]:
        """The sessions that match among all keys.

        A full scan that finds every session in the indexes marks the recency index as complete.
        """
        app = only.apps[0] if len(only.apps) == 1 else None
        user = only.users[0] if len(only.users) == 1 else None
        checks_index = plan.lacks_index and app is None and user is None
        async with aclosing(self.scan(app, user)) as batches:
            async for batch in batches:
                if checks_index:
                    refs = [one.ref for one in batch if one.tail]
                    checks_index = not await self.not_indexed(refs)
                yield [one for one in batch if only.match(one)]
        if checks_index:
            with suppress(ServerUnavailable):  # a user who may only read
                await self.mark_complete()
