"""Dropping old invocations from a history, so that what stays is a history ADK can go on with.

An invocation is one turn of the conversation: the events that share an invocation id, or, where
events have none, those from one message of the user to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from adksess.store.document import Document, json_bytes, parse_json
from adksess.transfer.history import (
    BASELINE_PREFIX,
    Event,
    call_ids,
    compactions,
    event_actions,
    get_object,
    invocations,
    is_baseline,
    live_positions,
)

_SHARED = ("app:", "user:", "temp:")


@dataclass(frozen=True)
class Trimmed:
    """A shorter document, and what is no longer in it."""

    document: Document
    dropped_events: int
    dropped_invocations: int
    freed_bytes: int


def trim(document: Document, keep_last: int) -> Trimmed | None:
    """The document with the last invocations alone; None when there are no more than that.

    Kept with them: an older invocation that shares a tool call with a kept one, since models
    refuse a response without its call; and summaries (compactions), which stand for what goes.
    Rewound invocations do not count. Raises ValueError for an event that is not JSON.
    """
    events = [parse_json(line) for line in document.events]
    groups = invocations(events)
    if len(groups) <= keep_last:
        return None
    kept, cut = _keep(events, groups, keep_last)
    dropped = [number for number in range(len(events)) if number not in kept]
    if not any(not is_baseline(events[number]) for number in dropped):
        return None
    before = [document.events[number] for number in range(cut) if number in kept]
    baseline = _baseline(events[:cut])
    lines = before + ([baseline] if baseline else []) + list(document.events[cut:])
    return Trimmed(
        replace(document, tail=document.tail._replace(event_count=len(lines)), events=lines),
        dropped_events=len(dropped),
        dropped_invocations=sum(not kept >= set(numbers) for numbers in groups),
        freed_bytes=sum(map(len, document.events)) - sum(map(len, lines)),
    )


def _keep(
    events: Sequence[Event], groups: Sequence[list[int]], keep_last: int
) -> tuple[set[int], int]:
    """The events that stay, and the first of those that stay without a gap."""
    cut = min(number for numbers in groups[-keep_last:] for number in numbers)
    while True:  # an invocation that reaches across the cut stays whole
        reaching = [numbers for numbers in groups if numbers[0] < cut <= numbers[-1]]
        if not reaching:
            break
        cut = min(numbers[0] for numbers in reaching)
    kept = set(range(cut, len(events)))
    summaries = compactions(events, live_positions(events))
    kept.update(summary.position for summary in summaries if summary.position < cut)
    calls = [call_ids(event) for event in events]
    known = {call for number in range(cut, len(events)) for call in calls[number]}
    older = [numbers for numbers in groups if numbers[0] < cut]
    while sharing := [n for n in older if any(calls[number] & known for number in n)]:
        for numbers in sharing:
            kept.update(numbers)
            known.update(call for number in numbers for call in calls[number])
        older = [numbers for numbers in older if numbers not in sharing]
    return kept, cut


def _baseline(events: Sequence[Event]) -> bytes | None:
    """One event for the state changes of many.

    ADK's rewind rebuilds the state from the events: without it, a rewind after a trim would
    clear every key that a dropped event had set.
    """
    state: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    for event in events:
        actions = event_actions(event)
        for key, value in get_object(actions, "state_delta").items():
            if key.startswith(_SHARED):
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
            "timestamp": events[-1].get("timestamp", 0.0),
        }
    )
