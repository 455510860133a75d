"""The title and status of sessions for lists, from bounded reads."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from adksess.conversation.history import Event
from adksess.conversation.quick_status import quick_status
from adksess.conversation.state_path import StatePath
from adksess.conversation.status import SessionStatus, Status, session_status
from adksess.conversation.titles import HEAD_BYTES, title_from_head
from adksess.store.document import event_lines, parse_json
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary

if TYPE_CHECKING:
    from adksess.store.parts import SessionEnd
    from adksess.store.store import SessionStore

STATUS_BYTES = 4_096
"""Bytes of the history in which the last events are searched for first."""

_MAX_STATUS_BYTES = 131_072
_STATUS_EVENTS = 4
"""Events that a status needs: a call, its first response, a text, and one more."""

_GROWTH = 4
_ANSWER_SECONDS = 8 * 3_600
"""How long a person may take to answer a request: a working day."""


_QUICK = {status: SessionStatus(status) for status in Status}
_NO_VALUES: Mapping[str, Any] = MappingProxyType({})


class SessionOverview(NamedTuple):
    """A session as a list shows it.

    `title_source` is `ui` for a title of ADK's web UI, `message` for the first user message, None
    without a title. `status` is None where it was not read. `values` are those of state paths.
    """

    summary: SessionSummary
    title: str = ""
    title_source: str | None = None
    status: SessionStatus | None = None
    values: Mapping[str, Any] = _NO_VALUES

    @property
    def expires_early(self) -> bool:
        """Whether the session waits for a person and expires before an answer is likely."""
        if self.status is None or self.status.status is not Status.WAITING:
            return False
        ttl = self.summary.ttl_seconds
        return ttl is not None and ttl < _ANSWER_SECONDS


async def read_overviews(
    store: "SessionStore",
    sessions: Sequence[SessionSummary],
    *,
    paths: Sequence[StatePath] = (),
    statuses: Mapping[SessionRef, SessionStatus] | None = None,
) -> list[SessionOverview]:
    """Return the overview of each session. Statuses that are known already are not read again."""
    if statuses is None:
        statuses = await complete_statuses(store, sessions)
    titles = [one.titled for one in sessions]
    untitled = [one for one, (title, _) in zip(sessions, titles, strict=True) if not title]
    messages = await read_titles(store, untitled)
    shared = await _shared_states(store, sessions, paths)
    overviews = []
    for session, (title, source) in zip(sessions, titles, strict=True):
        if not title and (title := messages.get(session.ref)):
            source = "message"
        values = _NO_VALUES
        if paths:
            own = {"": session.tail.state if session.tail else {}}
            states = own | shared.get(session.ref, {})
            values = {path.name: path.value(states.get(path.scope, {})) for path in paths}
        overviews.append(
            SessionOverview(session, title or "", source, statuses.get(session.ref), values)
        )
    return overviews


async def _shared_states(
    store: "SessionStore", sessions: Sequence[SessionSummary], paths: Sequence[StatePath]
) -> dict[SessionRef, dict[str, Mapping[str, Any]]]:
    """Return the `app:` and `user:` state of each session, if a path needs it."""
    if not any(path.scope for path in paths):
        return {}
    users: dict[str, dict[str, None]] = {}
    for session in sessions:
        users.setdefault(session.ref.app_name, {})[session.ref.user_id] = None
    states = {app: await store.states(app, names) for app, names in users.items()}
    return {
        session.ref: {
            "app:": states[session.ref.app_name][0],
            "user:": states[session.ref.app_name][1][session.ref.user_id],
        }
        for session in sessions
    }


async def complete_statuses(
    store: "SessionStore", sessions: Sequence[SessionSummary]
) -> dict[SessionRef, SessionStatus]:
    """Return the status of each readable session; histories are read only where `recent` of the
    summary is not enough."""
    found: dict[SessionRef, SessionStatus] = {}
    left: list[SessionRef] = []
    for session in sessions:
        if session.tail is None:
            continue
        # one newline before each event
        if not session.is_whole and session.recent.count(b"\n") < _STATUS_EVENTS:
            left.append(session.ref)
        elif quick := quick_status(session.recent):
            found[session.ref] = _QUICK[quick]
        else:
            events = parsed(event_lines(session.recent))
            found[session.ref] = session_status(events, is_whole=session.is_whole)
    return found | await read_statuses(store, left) if left else found


async def read_statuses(
    store: "SessionStore", refs: Sequence[SessionRef]
) -> dict[SessionRef, SessionStatus]:
    """Return the status of each session that exists and can be read, from its last events.

    Reads the last 4 kB of a history, and more only while that holds fewer than four events: up
    to 128 kB, or until the last event is whole.
    """
    found: dict[SessionRef, SessionStatus] = {}
    left, size = list(refs), STATUS_BYTES
    while left:
        again = []
        for end in await store.read_ends(left, history_bytes=size):
            if _is_enough(end, size):
                found[end.ref] = session_status(parsed(end.events), is_whole=end.is_whole)
            else:
                again.append(end.ref)
        left, size = again, size * _GROWTH
    return found


async def read_titles(
    store: "SessionStore", sessions: Sequence[SessionSummary]
) -> dict[SessionRef, str]:
    """Return the first user message of each session, as a title, from the head of its document."""
    refs = [session.ref for session in sessions if session.tail and session.tail.event_count]
    heads = await store.read_heads(refs, size=HEAD_BYTES)
    return {
        ref: title
        for ref, head in zip(refs, heads, strict=True)
        if (title := title_from_head(head))
    }


def parsed(lines: Sequence[bytes]) -> list[Event]:
    """Return the events that are JSON objects."""
    events: list[Event] = []
    for line in lines:
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _is_enough(end: "SessionEnd", size: int) -> bool:
    if end.is_whole or len(end.events) >= min(_STATUS_EVENTS, end.event_count):
        return True
    return size >= _MAX_STATUS_BYTES and bool(end.events)
