"""Which sessions a command works on: ids and filters, and what they resolve to."""

import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.filters import Filters
from adksess.cli.render.console import message, stderr
from adksess.cli.render.styles import MUTED
from adksess.cli.render.text import safe_text
from adksess.store.errors import AmbiguousSession, SessionNotFound

if TYPE_CHECKING:
    from adksess.cli.options import FilterOptions
    from adksess.conversation.status import SessionStatus, Status
    from adksess.store.keys import SessionRef
    from adksess.store.models import SessionSummary
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore

_CANDIDATES_SHOWN = 10
_UNREADABLE_SHOWN = 3


@dataclass(frozen=True)
class SelectedSessions:
    """The sessions of a selection, the unreadable ones among them, and missing names.

    `missing` holds a sentence for each name, `statuses` the status of each session where a filter
    made it necessary to read them.
    """

    sessions: "list[SessionSummary]"
    unreadable: "list[SessionSummary]" = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    statuses: "dict[SessionRef, SessionStatus] | None" = None

    def report_missing(self) -> bool:
        """Print an error for every missing name. True if there is any."""
        for sentence in self.missing:
            stderr().print(message("error", sentence))
        return bool(self.missing)

    @property
    def is_missing(self) -> bool:
        """Whether sessions were named, and none of them exists."""
        return bool(self.missing) and not self.sessions


@dataclass(frozen=True)
class Selection:
    """What a command was asked to work on: the sessions with these names, or all that match.

    `names` is None where filters select. With `exact` a name is never a prefix of an id.
    """

    names: tuple[str, ...] | None
    filters: Filters
    exact: bool = False

    @classmethod
    def from_options(
        cls, ids: Sequence[str] | None, filters: "FilterOptions", *, all_if_none: bool
    ) -> "Selection":
        """Read ids and filters from the command line, and ids from stdin for `-`.

        Names from a pipe are exact: a deleted id must not match a longer one. Raises
        UsageProblem for ids together with filters, and for neither unless `all_if_none`.
        """
        parsed = Filters.parse(filters)
        if ids and parsed.given:
            raise UsageProblem(
                "Session ids and filters cannot be mixed: name the sessions, or filter them."
            )
        if not ids and not parsed.given and not all_if_none:
            raise UsageProblem(
                "Say which sessions: ids (or - to read them from stdin), or filters such as --app, "
                "--user, --idle 30d."
            )
        return cls(_names(ids) if ids else None, parsed, exact="-" in (ids or ()))

    @classmethod
    def from_names(cls, names: Sequence[str]) -> "Selection":
        """Select sessions by exact names, such as those that were piped in."""
        return cls(tuple(names), Filters(), exact=True)

    @property
    def is_empty(self) -> bool:
        """Whether an empty list of ids was piped in: there is nothing to do."""
        return self.names == ()

    async def resolve(self, store: "SessionStore") -> SelectedSessions:
        """Find the sessions. Raises AmbiguousSession."""
        if self.names is not None:
            return await _by_name(store, self.names, exact=self.exact)
        return await by_filter(store, self.filters)


def select(settings: "Settings", selection: Selection) -> SelectedSessions:
    """Find the sessions of a selection.

    Raises AmbiguousSession, and typer.Exit if sessions are named and none of them exists: the
    errors are printed, and there is nothing to add.
    """
    import typer

    from adksess.cli.runner import with_store

    selected = with_store(settings, selection.resolve)
    if selected.is_missing:
        selected.report_missing()
        raise typer.Exit(ExitCode.NOT_FOUND)
    return selected


def explain_if_empty(
    settings: "Settings", selection: Selection, selected: SelectedSessions, *, quiet: bool
) -> None:
    """Where filters name apps or users and nothing matches, say so."""
    if not selected.sessions and not selected.unreadable:
        explain_no_match(settings, selection.filters, quiet=quiet)


def explain_no_match(settings: "Settings", filters: "Filters", *, quiet: bool) -> None:
    """Say that nothing matches names of apps or users, which may be misspelt."""
    from adksess.cli.empty import explain_empty
    from adksess.cli.runner import with_store

    if not quiet and (filters.apps or filters.users):
        text = with_store(settings, lambda store: explain_empty(store, filters))
        stderr().print(safe_text(text), style=MUTED, markup=False)


async def matching(
    store: "SessionStore",
    filters: Filters,
    *,
    statuses: "dict[SessionRef, SessionStatus] | None" = None,
) -> "AsyncGenerator[list[SessionSummary], None]":
    """Yield the sessions that match, in batches; unreadable ones among them.

    Those of a user are found in the apps' indexes: the user's own may have been lost. Relative
    times count from the server's clock. `statuses` receives the status of each session
    if the filters name one.
    """
    from adksess.cli.render.progress import ProgressBar
    from adksess.conversation.overview import STATUS_BYTES

    statuses = {} if statuses is None else statuses
    only = filters.at(await store.now())
    plan = await store.plan(only, by_user=False)
    total = await store.count(plan, only)
    with ProgressBar("Reading sessions", total or plan.state.key_count) as bar:
        async for batch in store.query(
            plan, only, history_bytes=STATUS_BYTES if filters.statuses else 0
        ):
            bar.advance(len(batch))
            if filters.statuses:
                batch = await keep_statuses(store, batch, filters.statuses, statuses)
            if batch:
                yield batch


async def by_filter(store: "SessionStore", filters: Filters) -> SelectedSessions:
    """Find all sessions that match the filters, in no order."""
    readable: list[SessionSummary] = []
    unreadable: list[SessionSummary] = []
    statuses: dict[SessionRef, SessionStatus] = {}
    async for batch in matching(store, filters, statuses=statuses):
        for summary in batch:
            (readable if summary.tail else unreadable).append(summary)
    return SelectedSessions(readable, unreadable, statuses=statuses if filters.statuses else None)


async def keep_statuses(
    store: "SessionStore",
    sessions: "Sequence[SessionSummary]",
    wanted: "Sequence[Status]",
    statuses: "dict[SessionRef, SessionStatus]",
) -> "list[SessionSummary]":
    """Keep the sessions of some statuses, and note their statuses."""
    from adksess.conversation.overview import complete_statuses

    found = await complete_statuses(store, sessions)
    kept = {ref: item for ref, item in found.items() if item.status in wanted}
    statuses.update(kept)
    return [session for session in sessions if session.ref in kept]


async def resolve_one(store: "SessionStore", name: str) -> "SessionSummary":
    """Find the session that a name means. Raises AmbiguousSession or SessionNotFound."""
    selected = await _by_name(store, [name])
    if not selected.sessions:
        raise SessionNotFound(
            selected.missing[0] if selected.missing else f"Session {name!r} was just deleted."
        )
    return selected.sessions[0]


def exact_name(ref: "SessionRef", key: str, *, is_unique: bool = False) -> str:
    """Return a name for a pipe: app/user/id, or the id alone if it `is_unique`.

    A name with a slash or colon could be read as that of another session, one that begins with a
    dash as an option: then the whole key. In the key of a name that cannot be printed as it is, or
    has blanks at an end, these characters are percent-encoded.
    """
    name = ref.session_id if is_unique else ref.path
    if "/" in "".join(ref) or ":" in ref.session_id or name.startswith("-"):
        name = key
    if name == safe_text(name).strip():
        return name
    return "".join(c if c == safe_text(c).strip() else quote(c) for c in key)


def warn_of(unreadable: "Sequence[SessionSummary]") -> None:
    """Print a warning for sessions that cannot be read and so are not changed."""
    console = stderr()
    for session in unreadable[:_UNREADABLE_SHOWN]:
        console.print(message("warning", f"{session.ref.path} was not changed: {session.problem}."))
    if more := len(unreadable[_UNREADABLE_SHOWN:]):
        console.print(message("warning", f"{more:,} more that cannot be read were not changed."))


def _names(ids: Sequence[str]) -> tuple[str, ...]:
    """The ids on the command line, with `-` replaced by the lines of stdin."""
    names: list[str] = []
    for word in ids:
        names += (line.strip() for line in sys.stdin) if word == "-" else [word.strip()]
    return tuple(dict.fromkeys(name for name in names if name))


async def _by_name(
    store: "SessionStore", names: Sequence[str], *, exact: bool = False
) -> SelectedSessions:
    answers = await store.find(names, exact=exact)
    missing: list[str] = []
    refs: list[SessionRef] = []
    for name, candidates in zip(names, answers, strict=True):
        if len(candidates) > 1:
            raise AmbiguousSession(_ambiguous(name, candidates))
        if candidates:
            refs += candidates
        else:
            missing.append(await _not_found(store, name, exact=exact))
    stored = await store.summaries(list(dict.fromkeys(refs)))
    return SelectedSessions(stored, [summary for summary in stored if not summary.tail], missing)


def _ambiguous(name: str, candidates: "list[SessionRef]") -> str:
    shown = [f"  {ref.path}" for ref in candidates[:_CANDIDATES_SHOWN]]
    if len(candidates) > _CANDIDATES_SHOWN:
        shown.append(f"  … and {len(candidates) - _CANDIDATES_SHOWN:,} more")
    return "\n".join(
        [
            f"{name!r} may be any of {len(candidates):,} sessions:",
            *shown,
            "Type more of the id, or app/user/id.",
        ]
    )


async def _not_found(store: "SessionStore", name: str, *, exact: bool) -> str:
    """Say that a session does not exist, and where one of its id exists or existed."""
    from adksess.store.keys import MIN_PREFIX

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
            f"Session {session_id!r} of app {user.app_name}, user {user.user_id} expired "
            f"at {moment:%Y-%m-%d %H:%M:%S}: list the existing ones with adksess list."
        )
    if len(name) < MIN_PREFIX and not exact:
        return (
            f"There is no session {name!r}: a prefix needs {MIN_PREFIX} characters or more. "
            "List the existing ones with adksess list."
        )
    return f"There is no session {name!r}: list the existing ones with adksess list."
