"""Dropping old invocations from a history, so that what stays is a history ADK can go on with.

An invocation is one turn of the conversation: the events that share an invocation id, or, where
events have none, those from one message of the user to the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from adksess.store.document import Document, json_bytes, parse_json

BASELINE_PREFIX = "adksess-trim-"
"""Invocation id of the event that stands for the state changes of the dropped ones."""

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
    invocations = _invocations(events)
    if len(invocations) <= keep_last:
        return None
    kept, cut = _keep(events, invocations, keep_last)
    dropped = [number for number in range(len(events)) if number not in kept]
    if not any(not _is_baseline(events[number]) for number in dropped):
        return None
    before = [document.events[number] for number in range(cut) if number in kept]
    baseline = _baseline(events[:cut])
    lines = before + ([baseline] if baseline else []) + list(document.events[cut:])
    return Trimmed(
        replace(document, events=lines, event_count=len(lines)),
        dropped_events=len(dropped),
        dropped_invocations=sum(not kept >= set(numbers) for numbers in invocations),
        freed_bytes=sum(map(len, document.events)) - sum(map(len, lines)),
    )


def _keep(
    events: Sequence[Mapping[str, Any]], invocations: Sequence[list[int]], keep_last: int
) -> tuple[set[int], int]:
    """The events that stay, and the first of those that stay without a gap."""
    cut = min(number for numbers in invocations[-keep_last:] for number in numbers)
    while True:  # an invocation that reaches across the cut stays whole
        reaching = [numbers for numbers in invocations if numbers[0] < cut <= numbers[-1]]
        if not reaching:
            break
        cut = min(numbers[0] for numbers in reaching)
    kept = set(range(cut, len(events)))
    kept.update(_summaries(events, cut))
    calls = [set(_call_ids(event)) for event in events]
    known = {call for number in range(cut, len(events)) for call in calls[number]}
    older = [numbers for numbers in invocations if numbers[0] < cut]
    while sharing := [n for n in older if any(calls[number] & known for number in n)]:
        for numbers in sharing:
            kept.update(numbers)
            known.update(call for number in numbers for call in calls[number])
        older = [numbers for numbers in older if numbers not in sharing]
    return kept, cut


def _invocations(events: Sequence[Mapping[str, Any]]) -> list[list[int]]:
    """The events of each invocation that is not rewound, the oldest invocation first."""
    groups: dict[str, list[int]] = {}
    current = ""
    for number in _live(events):
        event = events[number]
        if _is_baseline(event) or _compaction(event):
            continue
        name = _get(event, "invocation_id") or ""
        if not name:
            starts = event.get("author") == "user" and not list(_parts(event, "function_response"))
            name = f"\0{number}" if starts or not current else current
        current = name
        groups.setdefault(name, []).append(number)
    return sorted(groups.values(), key=lambda numbers: numbers[0])


def _live(events: Sequence[Mapping[str, Any]]) -> list[int]:
    """The events that no rewind has taken back, the way ADK finds them: from the end."""
    first: dict[str, int] = {}
    for number, event in enumerate(events):
        if name := _get(event, "invocation_id"):
            first.setdefault(name, number)
    live: list[int] = []
    number = len(events) - 1
    while number >= 0:
        back_to = _get(_actions(events[number]), "rewind_before_invocation_id")
        if not back_to:
            live.append(number)
        elif first.get(back_to, number) < number:
            number = first[back_to]
        number -= 1
    return live[::-1]


def _summaries(events: Sequence[Mapping[str, Any]], cut: int) -> Iterator[int]:
    """Live compactions before the cut, but for those that a later one covers."""
    live = set(_live(events))
    ranges = [
        (number, *span)
        for number in sorted(live)
        if (span := _compaction(events[number])) is not None
    ]
    for position, (number, start, end) in enumerate(ranges):
        covered = any(s <= start and end <= e for _, s, e in ranges[position + 1 :])
        if number < cut and not covered:
            yield number


def _baseline(events: Sequence[Mapping[str, Any]]) -> bytes | None:
    """One event for the state changes of many.

    ADK's rewind rebuilds the state from the events: without it, a rewind after a trim would
    clear every key that a dropped event had set.
    """
    state: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    for event in events:
        actions = _actions(event)
        for key, value in (_get(actions, "state_delta") or {}).items():
            if key.startswith(_SHARED):
                continue
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        artifacts.update(_get(actions, "artifact_delta") or {})
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


def _is_baseline(event: Mapping[str, Any]) -> bool:
    return str(_get(event, "invocation_id") or "").startswith(BASELINE_PREFIX)


def _compaction(event: Mapping[str, Any]) -> tuple[float, float] | None:
    compaction = _get(_actions(event), "compaction")
    if not isinstance(compaction, dict):
        return None
    return (
        float(_get(compaction, "start_timestamp") or 0),
        float(_get(compaction, "end_timestamp") or 0),
    )


def _call_ids(event: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the tool calls that an event makes or answers."""
    for kind in ("function_call", "function_response"):
        for part in _parts(event, kind):
            if isinstance(part.get("id"), str):
                yield part["id"]


def _parts(event: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    content = event.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts or ():
        value = _get(part, kind) if isinstance(part, dict) else None
        if isinstance(value, dict):
            yield value


def _actions(event: Mapping[str, Any]) -> Mapping[str, Any]:
    actions = event.get("actions")
    return actions if isinstance(actions, dict) else {}


def _get(fields: Mapping[str, Any], name: str) -> Any:
    """A field by ADK's name for it, or in the camel case that other tools store."""
    if name in fields:
        return fields[name]
    first, *others = name.split("_")
    return fields.get(first + "".join(word.capitalize() for word in others))
