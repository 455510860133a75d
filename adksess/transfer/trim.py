"""Drop old invocations from sessions, so that ADK can continue with the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from adksess.conversation.history import (
    BASELINE_PREFIX,
    Event,
    call_ids,
    compactions,
    event_actions,
    get_object,
    invocations,
    is_baseline,
    live_positions,
    outline,
)
from adksess.conversation.status import open_calls
from adksess.store.document import Document, decode, json_bytes, parse_json
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary, StoredValue
from adksess.store.state import APP, TEMP, USER
from adksess.store.store import SessionStore
from adksess.transfer.exporter import in_parts

_ATTEMPTS = 10


@dataclass(frozen=True)
class TrimmedDocument:
    """A shorter document, and how much was dropped from it. Sizes are in bytes."""

    document: Document
    dropped_events: int
    dropped_invocations: int
    freed_bytes: int


@dataclass(frozen=True)
class TrimOptions:
    """How to trim. With `dry_run` nothing is written.

    With `keep_used` a session that was updated after it had been selected is not trimmed: the
    filters may not select it any more.
    """

    keep_last: int
    keep_used: bool = False
    dry_run: bool = False


@dataclass
class TrimReport:
    """What was dropped, or would be.

    `failed` are sessions that could not be trimmed, with the reason, `used` those that were used
    after they had been selected.
    """

    sessions: int = 0
    invocations: int = 0
    events: int = 0
    freed_bytes: int = 0
    failed: list[tuple[SessionRef, str]] = field(default_factory=list)
    used: list[SessionRef] = field(default_factory=list)


async def trim_sessions(
    store: SessionStore,
    sessions: Sequence[SessionSummary],
    options: TrimOptions,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> TrimReport:
    """Drop all but the last invocations of each session.

    State, expiry and summaries are kept, and no tool call is separated from its response. A
    session that gets new events meanwhile is read again, so none is lost. `advance` is called
    with the number of sessions done. Raises ServerUnavailable.
    """
    report = TrimReport()
    # an invocation has at least one event
    long = [session for session in sessions if session.tail and _count(session) > options.keep_last]
    advance(len(sessions) - len(long))
    for part in in_parts(long):
        stored = {item.ref: item for item in await store.values([s.ref for s in part])}
        for session in part:
            if item := stored.get(session.ref):
                await _trim_session(store, session, item, options, report)
            advance(1)
    return report


def trim_document(document: Document, keep_last: int) -> TrimmedDocument | None:
    """Return the document with its last invocations; None when it has no more than those.

    An older invocation is kept if it shares a tool call with a kept one, since models reject a
    response without its call, or if one of its calls is open: ADK needs the call when its answer
    arrives. Summaries (compactions) are kept, since they replace what is dropped. Rewound
    invocations are not counted. Raises ValueError for an event that is not JSON.
    """
    # not the whole events: parsed they take five times the memory of the document
    events = [outline(parse_json(line)) for line in document.events]
    groups = invocations(events)
    if len(groups) <= keep_last:
        return None
    kept, cut = _kept_positions(events, groups, keep_last)
    dropped = [position for position in range(len(events)) if position not in kept]
    if all(is_baseline(events[position]) for position in dropped):
        return None
    before = [document.events[position] for position in range(cut) if position in kept]
    baseline = _baseline(document.events[:cut])
    lines = before + ([baseline] if baseline else []) + list(document.events[cut:])
    return TrimmedDocument(
        replace(document, tail=document.tail._replace(event_count=len(lines)), events=lines),
        dropped_events=len(dropped),
        dropped_invocations=sum(not kept >= set(positions) for positions in groups),
        freed_bytes=sum(map(len, document.events)) - sum(map(len, lines)),
    )


async def _trim_session(
    store: SessionStore,
    session: SessionSummary,
    stored: StoredValue,
    options: TrimOptions,
    report: TrimReport,
) -> None:
    for _ in range(_ATTEMPTS):
        try:
            document = decode(stored.value, stored.ref)
            if options.keep_used and _is_updated(session, document):
                report.used.append(session.ref)
                return
            result = trim_document(document, options.keep_last)
        except (SessionUnreadable, ValueError, TypeError, AttributeError):
            report.failed.append((session.ref, "it cannot be read"))
            return
        if result is None:
            return
        if options.dry_run or await store.replace_if_unchanged(stored, result.document):
            report.sessions += 1
            report.invocations += result.dropped_invocations
            report.events += result.dropped_events
            report.freed_bytes += result.freed_bytes
            return
        changed = await store.values([session.ref])
        if not changed:
            return
        stored = changed[0]
    report.failed.append((session.ref, "it is appended to constantly: try again later"))


def _is_updated(session: SessionSummary, document: Document) -> bool:
    return session.tail is None or session.tail.updated_at != document.tail.updated_at


def _count(session: SessionSummary) -> int:
    return session.tail.event_count if session.tail else 0


def _kept_positions(
    events: Sequence[Event], groups: Sequence[list[int]], keep_last: int
) -> tuple[set[int], int]:
    """Return the positions to keep, and the first from which on all events are kept."""
    cut = min(position for positions in groups[-keep_last:] for position in positions)
    while spanning := [group for group in groups if group[0] < cut <= group[-1]]:
        cut = min(group[0] for group in spanning)
    kept = set(range(cut, len(events)))
    live = live_positions(events)
    kept.update(item.position for item in compactions(events, live) if item.position < cut)
    calls = [call_ids(event) for event in events]
    known = {call for position in range(cut, len(events)) for call in calls[position]}
    known.update(call.call_id for call in open_calls([events[position] for position in live]))
    older = [group for group in groups if group[0] < cut]
    while sharing := [g for g in older if any(calls[position] & known for position in g)]:
        for group in sharing:
            kept.update(group)
            known.update(call for position in group for call in calls[position])
        older = [group for group in older if group not in sharing]
    return kept, cut


def _baseline(lines: Sequence[bytes]) -> bytes | None:
    """Return one event for the state changes of many; None when they have none.

    ADK's rewind rebuilds the state from the events: without it, a rewind after a trim would
    clear every key that a dropped event had set.
    """
    state: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    event: Event = {}
    for line in lines:
        event = parse_json(line)
        actions = event_actions(event)
        for key, value in get_object(actions, "state_delta").items():
            if key.startswith((APP, USER, TEMP)):
                continue
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        artifacts.update(get_object(actions, "artifact_delta"))
    if not state and not artifacts:
        return None
    return json_bytes(
        {
            "invocation_id": f"{BASELINE_PREFIX}{uuid4()}",
            "author": "user",
            "actions": {"state_delta": state, "artifact_delta": artifacts},
            "id": str(uuid4()),
            "timestamp": event.get("timestamp", 0.0),
        }
    )
