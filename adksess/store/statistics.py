"""Totals per app and activity over time: counts from the recency index, the rest from a sample."""

import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from adksess.store.errors import WrongType
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef, UserRef
from adksess.store.models import SessionSummary
from adksess.store.query import Plan, QueryOperations
from adksess.store.scripts import Argument

SAMPLE = 1_000
"""Sessions that are read for estimates, all apps together."""

SMALLEST_SAMPLE = 100
"""Sessions that are read of one app at least."""

_CONFIDENCE = 1.96
_DAY, _HOUR = 86_400, 3_600
_DAYS_AT_A_TIME = 30
_USERS_AT_A_TIME = 1_000
_MOST_OF_A_USER = 1_000


@dataclass(frozen=True)
class Estimate:
    """A number, and how far the true one may be from it (95 % confidence); 0 when it is exact."""

    value: int
    error: int = 0


@dataclass(frozen=True)
class AppStatistics:
    """The totals of one app. `oldest` and `newest` are last updates in Unix seconds.

    `sampled` is the number of sessions that the estimates rest on, None when all were read.
    """

    app_name: str
    sessions: int
    users: Estimate
    events: Estimate
    size_bytes: Estimate
    without_ttl: Estimate
    oldest: float
    newest: float
    sampled: int | None = None


@dataclass
class UserStatistics:
    """The totals of one user of an app. `oldest` and `newest` are last updates in Unix seconds."""

    user: UserRef
    sessions: int = 0
    events: int = 0
    size_bytes: int = 0
    without_ttl: int = 0
    oldest: float = math.inf
    newest: float = 0.0

    def add(self, session: SessionSummary) -> None:
        """Add a readable session."""
        self.sessions += 1
        self.events += session.tail.event_count if session.tail else 0
        self.size_bytes += session.size_bytes
        self.without_ttl += session.ttl_seconds is None
        self.oldest = min(self.oldest, session.updated)
        self.newest = max(self.newest, session.updated)


class Totals:
    """Adds up sessions one by one, exactly. Memory grows with users and hours only."""

    def __init__(self) -> None:
        self.users: dict[UserRef, UserStatistics] = {}
        self._hours: Counter[int] = Counter()

    def add(self, session: SessionSummary) -> None:
        """Add a readable session."""
        user = session.ref.user
        if user not in self.users:
            self.users[user] = UserStatistics(user)
        self.users[user].add(session)
        self._hours[int(session.updated // _HOUR)] += 1

    def apps(self) -> list[AppStatistics]:
        """The totals of each app, by name."""
        users: dict[str, list[UserStatistics]] = {}
        for one in self.users.values():
            users.setdefault(one.user.app_name, []).append(one)
        return [
            AppStatistics(
                app,
                sum(one.sessions for one in group),
                Estimate(len(group)),
                Estimate(sum(one.events for one in group)),
                Estimate(sum(one.size_bytes for one in group)),
                Estimate(sum(one.without_ttl for one in group)),
                min(one.oldest for one in group),
                max(one.newest for one in group),
            )
            for app, group in sorted(users.items())
        ]

    def biggest_users(self, limit: int) -> list[UserStatistics]:
        """The users with the most sessions."""
        return nsmallest(limit, self.users.values(), key=lambda one: (-one.sessions, one.user))

    def by_day(self, days: int) -> list[tuple[int, int]]:
        """As StatisticsOperations.activity_by_day()."""
        counts: Counter[int] = Counter()
        for hour, sessions in self._hours.items():
            counts[hour * _HOUR // _DAY] += sessions
        return [(day * _DAY, count) for day, count in sorted(counts.items())[-days:]]

    def by_hour(self, hours: int, now: float) -> list[tuple[int, int]]:
        """As StatisticsOperations.activity_by_hour()."""
        last = int(now // _HOUR)
        return [(hour * _HOUR, self._hours[hour]) for hour in range(last - hours + 1, last + 1)]


class StatisticsOperations(QueryOperations):
    """Operations that sum up sessions, from the recency index and a random sample."""

    async def statistics(self, plan: Plan, only: SessionFilter) -> list[AppStatistics]:
        """The totals of each app that has sessions, from the index and a random sample."""
        apps = [app for app in plan.state.sizes if only.match_app(app)]
        size = max(SMALLEST_SAMPLE, SAMPLE // max(1, len(apps)))
        found = [await self._estimate_app(app, only, size) for app in apps]
        return [statistics for statistics in found if statistics]

    async def activity_by_day(
        self, plan: Plan, only: SessionFilter, *, days: int
    ) -> list[tuple[int, int]]:
        """Sessions by the day (UTC) of their last update: the last `days` days that have any.

        Each is the day's first second (Unix) and the number of sessions, oldest first.
        """
        indexes = [self.keys.app_sessions(app) for app in plan.state.sizes if only.match_app(app)]
        low, high = _bounds(only)
        found: list[tuple[int, int]] = []
        until = high
        while len(found) < days:
            newest = await self._newest_second(indexes, low, until)
            if newest is None:
                break
            today = int(newest // _DAY)
            spans = [(day * _DAY, _DAY) for day in range(today, today - _DAYS_AT_A_TIME, -1)]
            counts = await self._count_spans(indexes, spans, low, high)
            found += [(start, n) for (start, _), n in zip(spans, counts, strict=True) if n]
            until = f"({spans[-1][0]}"
        return found[:days][::-1]

    async def activity_by_hour(
        self, plan: Plan, only: SessionFilter, *, hours: int
    ) -> list[tuple[int, int]]:
        """Sessions by the hour of their last update, the last `hours` hours, oldest first."""
        indexes = [self.keys.app_sessions(app) for app in plan.state.sizes if only.match_app(app)]
        low, high = _bounds(only)
        this_hour = int(plan.state.now // _HOUR)
        spans = [(hour * _HOUR, _HOUR) for hour in range(this_hour - hours + 1, this_hour + 1)]
        counts = await self._count_spans(indexes, spans, low, high)
        return [(start, n) for (start, _), n in zip(spans, counts, strict=True)]

    async def biggest_users(
        self, plan: Plan, only: SessionFilter, *, limit: int
    ) -> list[UserStatistics]:
        """The users with the most sessions, by the names in the recency index.

        Their sessions are read from their own indexes, or from the recency index where some user's
        index was lost.
        """
        counts: Counter[UserRef] = Counter()
        for app in plan.state.sizes:
            if only.match_app(app):
                async for refs in self._refs_of(app):
                    counts.update(ref.user for ref in refs if only.match_user(ref))
        biggest = nsmallest(limit, counts, key=lambda user: (-counts[user], user))
        known = await self._indexed_of(biggest) if plan.state.lacks_user_entries else {}
        found = []
        for user in biggest:
            totals = UserStatistics(user)
            sessions = self.summaries(known[user]) if known else self.sessions_of_user(*user)
            for session in await sessions:
                if session.tail and only.match(session):
                    totals.add(session)
            if totals.sessions:
                found.append(totals)
        return sorted(found, key=lambda one: (-one.sessions, one.user))

    async def _estimate_app(self, app: str, only: SessionFilter, size: int) -> AppStatistics | None:
        index = self.keys.app_sessions(app)
        low, high = _bounds(only)
        count, newer = await self._client.run_all(
            [("ZCOUNT", index, low, high), ("ZCOUNT", index, f"({high}", "+inf")]
        )
        if not count:
            return None
        ranks = [newer + n for n in random.sample(range(count), min(size, count))]
        answers = await self._client.run_all(
            [("ZREVRANGE", index, rank, rank) for rank in (newer, newer + count - 1, *ranks)]
        )
        refs = [
            ref
            for answer in answers
            for member in answer
            if (ref := self.keys.parse_app_member(app, member))
        ]
        first_and_last = await self.summaries(refs[:2])
        sample = [one for one in await self.summaries(refs[2:]) if one.tail]
        if not sample:
            return None
        # Each session counts 1/n for a user with n matching sessions: together they count users.
        per_user = await self._matching_per_user([one.ref.user for one in sample], only)
        shares = [1 / max(1, sessions) for sessions in per_user]
        is_exact = len(sample) == count
        times = [one.updated for one in (*first_and_last, *sample) if one.tail]
        return AppStatistics(
            app,
            count,
            _scaled(shares, count),
            _scaled([one.tail.event_count for one in sample if one.tail], count),
            _scaled([one.size_bytes for one in sample], count),
            _scaled([one.ttl_seconds is None for one in sample], count),
            min(times),
            max(times),
            None if is_exact else len(sample),
        )

    async def _matching_per_user(self, users: Sequence[UserRef], only: SessionFilter) -> list[int]:
        """How many matching sessions each user has, by the indexes."""
        indexes = [self.keys.user_sessions(*user) for user in users]
        if not only.needs_tail:
            counts = await self._answers([("ZCARD", index) for index in indexes])
            return [0 if isinstance(count, WrongType) else count for count in counts]
        ids = await self._answers([("ZRANGE", index, 0, _MOST_OF_A_USER - 1) for index in indexes])
        ids = [() if isinstance(names, WrongType) else names for names in ids]
        calls: list[tuple[Argument, ...]] = []
        for user, names in zip(users, ids, strict=True):
            refs = [SessionRef(*user, name.decode("utf-8", "replace")) for name in names]
            members = [self.keys.app_member(ref) for ref in refs]
            calls.append(("ZMSCORE", self.keys.app_sessions(user.app_name), *(members or [b""])))
        low, high = (float(bound) for bound in _bounds(only))
        return [
            sum(score is not None and low <= float(score) <= high for score in scores)
            for scores in await self._client.run_all(calls)
        ]

    async def _indexed_of(self, users: Sequence[UserRef]) -> dict[UserRef, list[SessionRef]]:
        """The sessions of some users in the recency index, for users whose own index was lost."""
        found: dict[UserRef, list[SessionRef]] = {user: [] for user in users}
        for app in {user.app_name for user in users}:
            async for refs in self._refs_of(app):
                for ref in refs:
                    if ref.user in found:
                        found[ref.user].append(ref)
        return found

    async def _refs_of(self, app: str) -> AsyncGenerator[list[SessionRef], None]:
        """The sessions of an app, in batches, from the names in the index."""
        index, position = self.keys.app_sessions(app), 0
        while True:
            members = await self._client.command(
                "ZREVRANGE", index, position, position + _USERS_AT_A_TIME - 1
            )
            yield [ref for one in members if (ref := self.keys.parse_app_member(app, one))]
            if len(members) < _USERS_AT_A_TIME:
                return
            position += _USERS_AT_A_TIME

    async def _newest_second(self, indexes: Sequence[bytes], low: str, high: str) -> float | None:
        answers = await self._client.run_all(
            [("ZREVRANGEBYSCORE", index, high, low, "LIMIT", 0, 1) for index in indexes]
        )
        newest = [
            (index, answer[0]) for index, answer in zip(indexes, answers, strict=True) if answer
        ]
        scores = await self._client.run_all([("ZSCORE", index, member) for index, member in newest])
        return max((float(score) for score in scores if score is not None), default=None)

    async def _count_spans(
        self,
        indexes: Sequence[bytes],
        spans: Sequence[tuple[int, int]],
        low: str,
        high: str,
    ) -> list[int]:
        """How many entries of all indexes are in each span (start and length in seconds)."""
        first = -math.inf if low == "-inf" else float(low)
        last = math.inf if high == "+inf" else float(high)
        calls = [
            ("ZCOUNT", index, max(start, first), min(start + length - 1, last))
            for start, length in spans
            for index in indexes
        ]
        answers = await self._client.run_all(calls)
        each = len(indexes)
        return [sum(answers[n * each : (n + 1) * each]) for n in range(len(spans))]


def _scaled(values: Sequence[float], count: int) -> Estimate:
    """The sum over `count` sessions, of which these are a random sample."""
    from statistics import fmean, stdev  # which only `stats` needs: 3 ms

    total = fmean(values) * count
    if len(values) < 2 or len(values) == count:
        return Estimate(round(total))
    rest = 1 - len(values) / count
    error = _CONFIDENCE * stdev(values) / math.sqrt(len(values)) * math.sqrt(rest) * count
    return Estimate(round(total), math.ceil(error))


def _bounds(only: SessionFilter) -> tuple[str, str]:
    """The lowest and the highest score of sessions that match."""
    low = "-inf" if only.updated_from is None else str(math.floor(only.updated_from))
    high = "+inf" if only.updated_until is None else str(math.floor(only.updated_until))
    return low, high
