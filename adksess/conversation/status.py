"""The status of a conversation, from its last events: waiting, failed, unanswered or ok.

Events are parsed JSON, as in `history.py`; they may be anything. The rule for open calls is that
of ADK 2.13 (`events/_interrupts.py`): a call in `long_running_tool_ids`, or a request to a person,
is open until the user sends a function response with its id.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from adksess.conversation.history import (
    Event,
    content_parts,
    get_field,
    get_object,
    invocation_id,
    is_baseline,
    is_compaction,
    live_positions,
    part_fields,
    rewind_target,
    timestamp,
)


class Status(StrEnum):
    """What a conversation needs: the most urgent first, nothing for `ok`."""

    WAITING = "waiting"
    FAILED = "failed"
    UNANSWERED = "unanswered"
    OK = "ok"


class OpenCall(NamedTuple):
    """A call that waits for an answer from outside.

    `tool` is the tool that waits; `request` says what ADK asks a person for: `confirmation`,
    `credential`, `input`, or "" for a long-running tool. `since` is in Unix seconds. `arguments`
    are those of the tool, never those of a credential request, which hold secrets.
    """

    call_id: str
    tool: str
    request: str
    since: float
    arguments: Mapping[str, Any]


class SessionStatus(NamedTuple):
    """A status, the calls that are open, and a sentence for the error of a failed session."""

    status: Status
    waiting_for: tuple[OpenCall, ...] = ()
    error: str = ""


CREDENTIAL_REQUEST = "adk_request_credential"

REQUESTS = {
    "adk_request_confirmation": "confirmation",
    CREDENTIAL_REQUEST: "credential",
    "adk_request_input": "input",
}
"""Names of the function calls with which ADK asks a person, with the kind of request."""

_PENDING = {"pending", "in_progress", "in progress", "running", "waiting", "queued", "submitted"}
_PROGRESS_FIELDS = ("status", "state")


def session_status(events: Sequence[Event], *, is_whole: bool = True) -> SessionStatus:
    """Return the status of a session from its last events, oldest first.

    With `is_whole` False there are earlier events that were not read. Rewound events, state
    changes and summaries do not count.
    """
    shown = conversation_events(events, is_whole=is_whole)
    waiting = open_calls(shown)
    error, position = _last_error(shown)
    if error and not (waiting and _pauses(shown, waiting, position)):
        return SessionStatus(Status.FAILED, error=error)
    if waiting:
        return SessionStatus(Status.WAITING, tuple(waiting))
    if shown and (
        shown[-1].get("author") == "user" or any(part_fields(shown[-1], "function_call"))
    ):
        # a tool call without a response: the run was killed, or is still going
        return SessionStatus(Status.UNANSWERED)
    return SessionStatus(Status.OK)


def open_calls(events: Sequence[Event]) -> list[OpenCall]:
    """Return the calls that wait for an answer, in the order in which they were made."""
    made: dict[str, Mapping[str, Any]] = {}
    calls: dict[str, OpenCall] = {}
    for event in events:
        for response in part_fields(event, "function_response"):
            if _is_final(event, response):
                calls.pop(str(get_field(response, "id")), None)
        long_running = get_field(event, "long_running_tool_ids")
        ids = long_running if isinstance(long_running, list) else []
        for call in part_fields(event, "function_call"):
            call_id, name = get_field(call, "id"), get_field(call, "name")
            if not isinstance(call_id, str):
                continue
            made[call_id] = call
            if call_id in ids or name in REQUESTS:
                calls[call_id] = _open_call(call_id, call, made, timestamp(event))
    return list(calls.values())


def tool_error(response: Mapping[str, Any]) -> str:
    """Return the error in a tool's response, empty when it has none.

    Tools report errors as `{"error": …}`, MCP tools as `{"isError": true}`.
    """
    content = get_field(response, "response")
    if not isinstance(content, Mapping):
        return ""
    if error := content.get("error"):
        return error if isinstance(error, str) else "error"
    return "error" if content.get("isError") is True else ""


def event_error(event: Event) -> str:
    """Return `CODE: message` of a failed event, empty for any other."""
    code, message = get_field(event, "error_code"), get_field(event, "error_message")
    if not code:
        return ""
    return f"{code}: {message}" if message else str(code)


def is_answer(event: Event) -> bool:
    """Return whether an event of an agent says something: text, media, speech or an output."""
    if event.get("author") == "user":
        return False
    if event.get("output") is not None or get_object(event, "output_transcription").get("text"):
        return True
    return any(
        (part.get("text") and not part.get("thought"))
        or get_object(part, "inline_data")
        or get_object(part, "file_data")
        for part in content_parts(event.get("content"))
    )


def conversation_events(events: Sequence[Event], *, is_whole: bool = True) -> list[Event]:
    """Return the live events that say something: no state changes, summaries or baselines."""
    start = 0
    if not is_whole:
        # a rewind to an invocation before those that were read removes all before it
        known = {invocation_id(event) for event in events}
        for position, event in enumerate(events):
            if (target := rewind_target(event)) and target not in known:
                start = position + 1
    rest = events[start:]
    live = (rest[position] for position in live_positions(rest))
    return [
        event
        for event in live
        if not is_compaction(event)
        and not is_baseline(event)
        and (
            content_parts(event.get("content"))
            or get_field(event, "error_code")
            or get_field(event, "input_transcription")
            or get_field(event, "output_transcription")
            or event.get("output") is not None
        )
    ]


def _is_final(event: Event, response: Mapping[str, Any]) -> bool:
    """Return whether a response answers a long-running call, or only reports progress.

    The first response of a long-running tool comes from the agent: it is what the tool returned
    when it began. It answers the call only if it is an error or says that the work is done.
    """
    content = get_object(response, "response")
    progress = next(
        (value for name in _PROGRESS_FIELDS if isinstance(value := content.get(name), str)), ""
    )
    if progress:
        return progress.lower() not in _PENDING
    return event.get("author") == "user" or bool(tool_error(response))


def _open_call(
    call_id: str, call: Mapping[str, Any], made: Mapping[str, Mapping[str, Any]], since: float
) -> OpenCall:
    name, arguments = str(get_field(call, "name") or ""), get_object(call, "args")
    request = REQUESTS.get(name, "")
    if request == "confirmation":
        original = get_object(arguments, "original_function_call")
        name, arguments = str(original.get("name") or name), get_object(original, "args")
    elif request == "credential":
        original = made.get(str(get_field(arguments, "function_call_id")), {})
        name, arguments = str(original.get("name") or name), get_object(original, "args")
    return OpenCall(call_id, name, request, since, arguments)


def _last_error(events: Sequence[Event]) -> tuple[str, int]:
    """Return the error that the conversation ended with, and the position of its event."""
    for position in range(len(events) - 1, -1, -1):
        event = events[position]
        if error := event_error(event):
            return error, position
        if event.get("author") == "user" or is_answer(event):
            break
        if responses := list(part_fields(event, "function_response")):
            for response in responses:
                if error := tool_error(response):
                    return f"{get_field(response, 'name')}: {error}", position
            break
    return "", -1


def _pauses(events: Sequence[Event], waiting: Sequence[OpenCall], position: int) -> bool:
    """Return whether an error belongs to a pause: ADK answers a call that needs a confirmation
    with an error, and other tools may fail while one waits."""
    if event_error(events[position]):
        return False
    ids = {call.call_id for call in waiting}
    return any(
        invocation_id(event) == invocation_id(events[position])
        and any(get_field(call, "id") in ids for call in part_fields(event, "function_call"))
        for event in events
    )
