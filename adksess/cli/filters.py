"""The filters of a command, as they were typed and as the store takes them."""

import shlex
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from adksess.cli.errors import UsageProblem
from adksess.store.durations import format_duration, parse_duration
from adksess.store.errors import InvalidDuration
from adksess.store.filters import SessionFilter

if TYPE_CHECKING:
    from adksess.cli.options import FilterOptions
    from adksess.conversation.status import Status


@dataclass(frozen=True)
class Moment:
    """A point in time: Unix seconds, or seconds before now if `is_ago`."""

    seconds: float
    is_ago: bool

    def at(self, now: float) -> float:
        """The moment in Unix seconds."""
        return now - self.seconds if self.is_ago else self.seconds

    @classmethod
    def parse(cls, text: str, option: str) -> "Moment":
        """Parse `2h` (ago), `today`, `yesterday` or a date, with or without a time.

        Days and times are local. Raises UsageProblem, InvalidDuration for a number without a unit.
        """
        word = text.strip().lower()
        if word in ("today", "yesterday"):
            day = date.today() - timedelta(days=word == "yesterday")
            return cls(datetime.combine(day, time.min).timestamp(), is_ago=False)
        if word.isdecimal():
            return cls(parse_duration(word), is_ago=True)
        try:
            return cls(parse_duration(text), is_ago=True)
        except InvalidDuration:
            pass
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError as exc:
            raise UsageProblem(
                f"{option} {text!r} is neither a duration such as 2h nor a date such as "
                "2026-11-01, today or yesterday."
            ) from exc
        try:
            seconds = moment.timestamp()
            datetime.fromtimestamp(seconds)  # to be shown as local time
        except (ValueError, OverflowError, OSError) as exc:
            raise UsageProblem(
                f"{option} {text!r} is out of range: use a date from 0002-01-01 to 9998-12-31."
            ) from exc
        return cls(seconds, is_ago=False)


@dataclass(frozen=True)
class Filters:
    """Session filters; None and () mean no filter.

    A session of any of the `apps` and any of the `users` matches. It matches `updated_until` if
    its last update is not after any of those moments.
    """

    apps: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    updated_from: Moment | None = None
    updated_until: tuple[Moment, ...] = ()
    no_ttl: bool = False
    app_like: str | None = None
    user_like: str | None = None
    statuses: tuple["Status", ...] = ()
    typed: str = field(default="", compare=False)
    """The options as they were typed, for messages."""

    @classmethod
    def parse(cls, options: "FilterOptions") -> "Filters":
        """Parse the filter options. Raises UsageProblem or InvalidDuration."""
        since, idle, until = options.since, options.idle, options.until
        if idle is not None and not parse_duration(idle):
            raise UsageProblem("--idle 0 would select every session: say how long, such as 30d.")
        latest = [] if idle is None else [Moment(parse_duration(idle), is_ago=True)]
        if until is not None:
            latest.append(Moment.parse(until, "--until"))
        return cls(
            apps=tuple(dict.fromkeys(options.app or ())),
            users=tuple(dict.fromkeys(options.user or ())),
            updated_from=None if since is None else Moment.parse(since, "--since"),
            updated_until=tuple(latest),
            no_ttl=options.no_ttl,
            app_like=options.app_like,
            user_like=options.user_like,
            statuses=tuple(dict.fromkeys(options.status or ())),
            typed=_typed(options),
        )

    @property
    def given(self) -> bool:
        """Whether there is any filter."""
        return self != Filters()

    @property
    def on_time(self) -> bool:
        """Whether the filters ask for more than apps and users by name."""
        return self != Filters(self.apps, self.users)

    @property
    def words(self) -> str:
        """The filters other than apps and users by name, in words: `not updated for 30 days`."""
        parts = [f"not updated {_until(moment)}" for moment in self.updated_until]
        if self.updated_from:
            parts.append(f"updated {_since(self.updated_from)}")
        if self.no_ttl:
            parts.append("without expiry")
        if self.statuses:
            parts.append(f"with status {' or '.join(self.statuses)}")
        if self.app_like is not None:
            parts.append(f"of apps like {self.app_like!r}")
        if self.user_like is not None:
            parts.append(f"of users like {self.user_like!r}")
        return ", ".join(parts)

    @property
    def owners(self) -> list[tuple[str | None, str | None]]:
        """Every app and user that the filters name; None means all of them."""
        return [(app, user) for app in self.apps or (None,) for user in self.users or (None,)]

    def at(self, now: float) -> SessionFilter:
        """What the store filters by, at a time of the server's clock (Unix seconds).

        A status is not known from a summary: it is read afterwards.
        """
        return SessionFilter(
            apps=self.apps,
            users=self.users,
            app_globs=() if self.app_like is None else (self.app_like,),
            user_globs=() if self.user_like is None else (self.user_like,),
            updated_from=self.updated_from.at(now) if self.updated_from else None,
            updated_until=min((moment.at(now) for moment in self.updated_until), default=None),
            no_ttl=self.no_ttl,
        )


def _until(moment: Moment) -> str:
    if moment.is_ago:
        return f"for {format_duration(moment.seconds)}"
    return f"after {datetime.fromtimestamp(moment.seconds):%Y-%m-%d %H:%M}"


def _since(moment: Moment) -> str:
    if moment.is_ago:
        return f"in the last {format_duration(moment.seconds)}"
    return f"since {datetime.fromtimestamp(moment.seconds):%Y-%m-%d %H:%M}"


def _typed(options: "FilterOptions") -> str:
    """The filter options as a command line."""
    words: list[str] = []
    for item in fields(options):
        name, value = f"--{item.name.replace('_', '-')}", getattr(options, item.name)
        if value is True:
            words.append(name)
        elif value not in (None, False, []):
            values = value if isinstance(value, list) else [value]
            words += (f"{name} {shlex.quote(str(one))}" for one in values)
    return " ".join(words)
