"""`adksess stats`: totals per app or user, activity per day or hour."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.options import FilterOptions, OutputFormat, OutputOption
from adksess.cli.render.styles import MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adksess.cli.filters import Filters
    from adksess.store.statistics import AppStatistics, UserStatistics
    from adksess.store.store import SessionStore

_DAYS = 14
_HOURS = 24
_USERS = 20


class GroupBy(StrEnum):
    """The groups that `stats` sums up."""

    APP = "app"
    USER = "user"


@dataclass(frozen=True)
class Statistics:
    """What `stats` shows. `activity` has the first second (Unix) of a day or hour, and sessions.

    `unreadable` is None where sessions were not all read.
    """

    apps: "Sequence[AppStatistics]"
    users: "Sequence[UserStatistics]"
    activity: "Sequence[tuple[int, int]]"
    unreadable: int | None
    explanation: str = ""

    @property
    def sampled(self) -> int | None:
        """The size of the sample for estimates, None if every session was read."""
        if all(app.sampled is None for app in self.apps):
            return None
        return sum(app.sampled or app.sessions for app in self.apps)


@command(
    "adksess stats",
    "adksess stats --since 7d -o json",
    "adksess stats --app support --by user",
)
def stats(
    *,
    filters: FilterOptions,
    by: Annotated[
        GroupBy, typer.Option("--by", help="Totals per app, or of the biggest users.")
    ] = GroupBy.APP,
    hours: Annotated[
        bool, typer.Option("--hours", help="Activity per hour of the last day, not per day.")
    ] = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Read every session instead of a sample.")
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Show totals per app and activity per day.

    Above 10,000 keys, events, sizes, users and sessions without TTL are estimated from a random
    sample and marked with ~; --exact reads all.
    """
    from adksess.cli.filters import Filters
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.json_output import write_json
    from adksess.cli.render.statistics import print_statistics
    from adksess.cli.runner import with_store

    parsed = Filters.parse(filters)
    found = with_store(
        connection.settings(), lambda store: _read(store, parsed, by, hours=hours, exact=exact)
    )
    if output is OutputFormat.JSON:
        write_json(_fields(found, by, hours=hours))
        return
    if found.explanation:
        stderr().print(found.explanation, style=MUTED, markup=False)
        return
    print_statistics(found, by_user=by is GroupBy.USER, by_hour=hours)
    if found.unreadable:
        sentence = f"{found.unreadable:,} more cannot be read: adksess doctor names them."
        stderr().print(message("note", sentence))


async def _read(
    store: "SessionStore", filters: "Filters", by: GroupBy, *, hours: bool, exact: bool
) -> Statistics:
    from adksess.cli.empty import explain_empty
    from adksess.cli.selection import matching
    from adksess.store.query import Source
    from adksess.store.statistics import Totals

    only = filters.at(await store.now())
    plan = await store.plan(only)
    is_named = bool(only.users or only.user_globs or only.no_ttl or filters.statuses)
    if plan.source is Source.INDEX and not exact and not is_named:
        by_user = by is GroupBy.USER
        apps = [] if by_user else await store.statistics(plan, only)
        users = await store.biggest_users(plan, only, limit=_USERS) if by_user else []
        activity = (
            await store.activity_by_hour(plan, only, hours=_HOURS)
            if hours
            else await store.activity_by_day(plan, only, days=_DAYS)
        )
        unreadable = None
    else:
        totals, unreadable = Totals(), 0
        async for batch in matching(store, filters):
            for session in batch:
                if session.tail:
                    totals.add(session)
                else:
                    unreadable += 1
        apps, users = totals.apps(), totals.biggest_users(_USERS)
        activity = totals.by_hour(_HOURS, plan.state.now) if hours else totals.by_day(_DAYS)
    explanation = "" if apps or users else await explain_empty(store, filters)
    return Statistics(apps, users, activity, unreadable, explanation)


def _fields(found: Statistics, by: GroupBy, *, hours: bool) -> dict[str, Any]:
    """The JSON output."""
    spans = [
        {("hour" if hours else "day"): _iso(start, hours=hours), "sessions": count}
        for start, count in found.activity
    ]
    groups = (
        {"users": [_user_fields(user) for user in found.users]}
        if by is GroupBy.USER
        else {"apps": [_app_fields(app) for app in found.apps]}
    )
    return {
        "exact": found.sampled is None,
        "sampled": found.sampled,
        **groups,
        ("hours" if hours else "days"): spans,
        "unreadable": found.unreadable,
    }


def _app_fields(app: "AppStatistics") -> dict[str, Any]:
    estimates = {
        "users": app.users,
        "events": app.events,
        "size_bytes": app.size_bytes,
        "without_ttl": app.without_ttl,
    }
    return {
        "app_name": app.app_name,
        "sessions": app.sessions,
        **{name: estimate.value for name, estimate in estimates.items()},
        "oldest": _iso(app.oldest),
        "newest": _iso(app.newest),
        "error": {name: estimate.error for name, estimate in estimates.items()},
    }


def _user_fields(user: "UserStatistics") -> dict[str, Any]:
    return {
        "app_name": user.user.app_name,
        "user_id": user.user.user_id,
        "sessions": user.sessions,
        "events": user.events,
        "size_bytes": user.size_bytes,
        "without_ttl": user.without_ttl,
        "oldest": _iso(user.oldest),
        "newest": _iso(user.newest),
    }


def _iso(seconds: float, *, hours: bool | None = None) -> str:
    """A time in ISO 8601, a day as its date, an hour without minutes."""
    from adksess.cli.render.times import utc_time

    moment = utc_time(seconds)
    if hours is None:
        return moment.isoformat(timespec="microseconds")
    return moment.isoformat(timespec="minutes") if hours else f"{moment.date()}"
