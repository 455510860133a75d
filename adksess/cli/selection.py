"""Which sessions a command is about: named one by one, or filtered. The same for all commands."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adksess.cli.errors import UsageProblem
from adksess.cli.render.progress import Meter
from adksess.store.durations import parse_duration
from adksess.store.errors import AmbiguousSession, InvalidDuration, SessionNotFound
from adksess.store.keys import MIN_PREFIX, SessionRef
from adksess.store.models import SessionSummary
from adksess.store.store import SessionStore

_CANDIDATES_SHOWN = 10


@dataclass(frozen=True)
class Filters:
    """What sessions must be like. Times are Unix seconds; None asks for nothing."""

    app: str | None = None
    user: str | None = None
    updated_from: float | None = None
    updated_until: float | None = None
    no_ttl: bool = False

    @classmethod
    def parse(
        cls,
        app: str | None,
        user: str | None,
        since: str | None,
        idle: str | None,
        no_ttl: bool,
    ) -> "Filters":
        """Read the filter options as they were typed. Raises UsageProblem, InvalidDuration."""
        if idle is not None and not parse_duration(idle):
            raise UsageProblem("--idle 0 would mean every session: say how long, such as 30d.")
        return cls(
            app=app,
            user=user,
            updated_from=None if since is None else _moment(since),
            updated_until=None if idle is None else time.time() - parse_duration(idle),
            no_ttl=no_ttl,
        )

    @property
    def given(self) -> bool:
        """Whether any filter was asked for."""
        return self != Filters()

    @property
    def on_time(self) -> bool:
        """Whether it takes a session's own data, not its name alone, to tell."""
        return self.no_ttl or self.updated_from is not None or self.updated_until is not None

    def match(self, summary: SessionSummary) -> bool:
        """Whether a session is meant. One that cannot be read is never meant by its times."""
        if self.no_ttl and summary.ttl_seconds is not None:
            return False
        if self.updated_from is None and self.updated_until is None:
            return True
        if summary.tail is None:
            return False
        return (self.updated_from is None or summary.updated >= self.updated_from) and (
            self.updated_until is None or summary.updated <= self.updated_until
        )


@dataclass(frozen=True)
class SelectedSessions:
    """The sessions that are meant, those among them that cannot be read, and names that fail."""

    sessions: list[SessionSummary]
    unreadable: list[SessionSummary] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def names_from(words: Sequence[str] | None) -> list[str]:
    """The ids on the command line, with `-` replaced by the lines of stdin."""
    names: list[str] = []
    for word in words or []:
        names += (line.strip() for line in sys.stdin) if word == "-" else [word.strip()]
    return list(dict.fromkeys(name for name in names if name))


def require_choice(words: Sequence[str] | None, filters: Filters, *, all_if_none: bool) -> None:
    """Refuse ids together with filters, and neither where that would mean everything."""
    if words and filters.given:
        raise UsageProblem(
            "Session ids and filters cannot be mixed: name the sessions, or filter them."
        )
    if not words and not filters.given and not all_if_none:
        raise UsageProblem(
            "Say which sessions: ids (or - to read them from stdin), or filters such as --app, "
            "--user, --idle 30d."
        )


async def choose(
    store: SessionStore, names: Sequence[str], filters: Filters, *, exact: bool = False
) -> SelectedSessions:
    """The sessions that the names or, without names, the filters mean.

    With `exact`, as for a list that was piped in, no name stands for a longer one: what has gone
    meanwhile is missing, and its neighbour stays.
    """
    return await by_name(store, names, exact=exact) if names else await by_filter(store, filters)


async def by_filter(store: SessionStore, filters: Filters) -> SelectedSessions:
    """All sessions that the filters let through, in no order."""
    readable: list[SessionSummary] = []
    unreadable: list[SessionSummary] = []
    with Meter("Reading sessions", await store.key_count()) as meter:
        async for batch in store.scan(filters.app, filters.user):
            meter.advance(len(batch))
            for summary in batch:
                if filters.match(summary):
                    (readable if summary.tail else unreadable).append(summary)
    return SelectedSessions(readable, unreadable)


async def by_name(
    store: SessionStore, names: Sequence[str], *, exact: bool = False
) -> SelectedSessions:
    """The sessions that are named. Raises AmbiguousSession before anything else happens."""
    answers = await store.find(names, exact=exact)
    missing: list[str] = []
    refs: list[SessionRef] = []
    for name, candidates in zip(names, answers, strict=True):
        if len(candidates) > 1:
            raise AmbiguousSession(_ambiguous(name, candidates))
        if candidates:
            refs += candidates
        else:
            missing.append(await _not_found(store, name))
    found = await store.summaries(list(dict.fromkeys(refs)))
    return SelectedSessions(found, [summary for summary in found if not summary.tail], missing)


async def the_one(store: SessionStore, name: str) -> SessionSummary:
    """The one session that a name means. Raises AmbiguousSession or SessionNotFound."""
    chosen = await by_name(store, [name])
    if not chosen.sessions:
        raise SessionNotFound(chosen.missing[0] if chosen.missing else f"{name!r} is gone.")
    return chosen.sessions[0]


def path(ref: SessionRef) -> str:
    """A session's full name, as people type it: app/user/id."""
    return "/".join(ref)


def _ambiguous(name: str, candidates: list[SessionRef]) -> str:
    shown = [f"  {path(ref)}" for ref in candidates[:_CANDIDATES_SHOWN]]
    if len(candidates) > _CANDIDATES_SHOWN:
        shown.append(f"  … and {len(candidates) - _CANDIDATES_SHOWN:,} more")
    return "\n".join(
        [
            f"{name!r} may be any of {len(candidates):,} sessions:",
            *shown,
            "Type more of the id, or app/user/id.",
        ]
    )


async def _not_found(store: SessionStore, name: str) -> str:
    """Say that a session is not there, and where one of its id is or was."""
    session_id = name.rpartition("/")[2]
    if name != session_id:
        (elsewhere,) = await store.find([session_id])
        if elsewhere:
            homes = ", ".join(
                f"app {ref.app_name}, user {ref.user_id}" for ref in elsewhere[:_CANDIDATES_SHOWN]
            )
            return f"There is no session {name!r}, but one of that id exists under {homes}."
    for user, when in await store.expired(session_id):
        moment = datetime.fromtimestamp(when).astimezone()
        return (
            f"Session {session_id!r} of app {user.app_name}, user {user.user_id} has expired "
            f"at {moment:%Y-%m-%d %H:%M:%S}: list what is there with adksess list."
        )
    if len(name) < MIN_PREFIX:
        return (
            f"There is no session {name!r}: a prefix needs {MIN_PREFIX} characters or more. "
            "List what is there with adksess list."
        )
    return f"There is no session {name!r}: list what is there with adksess list."


def _moment(text: str) -> float:
    """Unix seconds of `2h` (ago) or of a date, with or without a time, in local time."""
    try:
        return time.time() - parse_duration(text)
    except InvalidDuration:
        pass
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as exc:
        raise UsageProblem(
            f"--since {text!r} is neither a duration such as 2h nor a date such as 2026-11-01."
        ) from exc
