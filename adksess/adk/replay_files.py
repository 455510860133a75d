"""Test files for `adk test`: a conversation that ADK replays with the recorded model answers.

ADK runs the agent with the user's messages, and compares its events with those of the file after
it has replaced every id by a number. The rules are those of ADK 2.13, `cli/agent_test_runner.py`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.adk.events.event import Event
from google.genai import types

from adksess.adk.event_json import read_session
from adksess.adk.session_files import without_credentials
from adksess.conversation.history import is_baseline, is_compaction, live_positions
from adksess.conversation.titles import display_name, first_message
from adksess.store.document import json_bytes, parse_events
from adksess.store.models import TITLE_KEY, StoredSession
from adksess.transfer.file_export import ExportedFile, NotExportable
from adksess.transfer.replay import initial_state

_NOT_COMPARED = {
    *("timestamp", "usage_metadata", "model_version", "finish_reason", "avg_logprobs"),
    *("cache_metadata", "logprobs_result", "citation_metadata", "interaction_id"),
    "turn_complete",
}
_SCOPED_ID = re.compile(r"(?<=@)[^@/.]+|(?<=^task:)[^:]+")


def replay_file(stored: StoredSession) -> ExportedFile:
    """Return the test file of a whole session, named after its title as in ADK's web UI.

    Raises NotExportable when there is no text with which a test begins, and SessionUnreadable.
    """
    session = read_session(stored)
    parsed = parse_events(stored.document)
    spoken = [
        session.events[position]
        for position in live_positions(parsed)
        if not is_compaction(parsed[position]) and not is_baseline(parsed[position])
    ]
    replayed = _Replay(spoken)
    fields = {
        "appName": session.app_name,
        "userId": session.user_id,
        "id": session.id,
        "events": replayed.events(),
    }
    lacks = list(replayed.lacks)
    if initial_state(stored.document).known.keys() - {TITLE_KEY}:
        lacks.append("state that was given at creation")
    if len(spoken) < len(session.events):
        lacks.append("rewound events and summaries")
    content = json_bytes(without_credentials(fields), indent=2) + b"\n"
    return ExportedFile(_name(stored, parsed), ".json", content, lacks)


def _name(stored: StoredSession, parsed: Sequence[Mapping[str, Any]]) -> str:
    title = display_name(stored.document.tail.state) or first_message(parsed)
    return re.sub(r"[^a-zA-Z0-9_-]", "", title.replace(" ", "_"))


@dataclass
class _Replay:
    """The events of a conversation as `adk test` compares them."""

    spoken: Sequence[Event]
    lacks: dict[str, None] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    def events(self) -> list[dict[str, Any]]:
        events = list(self._replayable())
        for number, event in enumerate(events, 1):
            event["id"] = f"e-{number}"
        for event in events:
            self._number_calls(event)
        waiting: dict[Any, list[str]] = {}
        for event in events:
            self._replace_ids(event, waiting)
        return events

    def _replayable(self) -> Iterator[dict[str, Any]]:
        started = False
        invocations: dict[str, str] = {}
        for event in self.spoken:
            is_user = event.author == "user" and not event.node_info.path
            if is_user:
                content = self._user_content(event)
                if content is None:
                    continue
                started = started or bool(content.parts and content.parts[0].text)
                kept = Event(author="user", content=content, branch=event.branch)
            else:
                kept = event
            if not started:
                continue
            fields = kept.model_dump(
                mode="json", by_alias=True, exclude_none=True, exclude=_NOT_COMPARED
            )
            number = invocations.setdefault(event.invocation_id, f"i-{len(invocations) + 1}")
            fields["invocationId"] = number
            _clean(fields)
            yield fields
        if not started:
            raise NotExportable("the user sent no text, with which a test begins")

    def _user_content(self, event: Event) -> types.Content | None:
        """Return what ADK sends again: text, calls and responses."""
        parts = (event.content.parts if event.content else None) or []
        kept = [
            part.model_copy(update={"thought_signature": None})
            for part in parts
            if part.text or part.function_call or part.function_response
        ]
        if len(kept) < len(parts):
            self.lacks["files that the user sent"] = None
        if event.actions.state_delta and not parts:
            self.lacks["state that was changed by hand"] = None
        return types.Content(role="user", parts=kept) if kept else None

    def _number_calls(self, event: dict[str, Any]) -> None:
        for call in _values(event, "functionCall"):
            old = call.get("id")
            new = f"fc-{len(self._ids) + 1}"
            self._ids[str(old)] = new
            call["id"] = new
            long_running = event.get("longRunningToolIds", [])
            if old in long_running:
                event["longRunningToolIds"] = sorted(
                    new if item == old else item for item in long_running
                )

    def _replace_ids(self, event: dict[str, Any], waiting: dict[Any, list[str]]) -> None:
        for call in _values(event, "functionCall"):
            waiting.setdefault(call.get("name"), []).append(call["id"])
            args = call.get("args")
            if isinstance(args, dict):
                call["args"] = {
                    key: self._ids.get(value, value) if isinstance(value, str) else value
                    for key, value in args.items()
                }
                self._replace_nested(call["args"])
        for response in _values(event, "functionResponse"):
            if waiting.get(response.get("name")):
                response["id"] = waiting[response.get("name")].pop(0)
            elif response.get("id") in self._ids:
                response["id"] = self._ids[response["id"]]
        if event.get("isolationScope") in self._ids:
            event["isolationScope"] = self._ids[event["isolationScope"]]
        for owner, name in ((event, "branch"), (event.get("nodeInfo", {}), "path")):
            if isinstance(owner.get(name), str):
                owner[name] = self._path(owner[name])
        outputs = event.get("nodeInfo", {}).get("outputFor")
        if isinstance(outputs, list):
            event["nodeInfo"]["outputFor"] = [self._path(path) for path in outputs]
        confirmations = event.get("actions", {}).get("requestedToolConfirmations")
        if isinstance(confirmations, dict):
            event["actions"]["requestedToolConfirmations"] = {
                self._ids.get(key, key): value for key, value in confirmations.items()
            }

    def _replace_nested(self, value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("id"), str):
                value["id"] = self._ids.get(value["id"], value["id"])
            for item in value.values():
                self._replace_nested(item)
        elif isinstance(value, list):
            for item in value:
                self._replace_nested(item)

    def _path(self, path: str) -> str:
        return _SCOPED_ID.sub(lambda match: self._ids.get(match[0], match[0]), path)


def _clean(event: dict[str, Any]) -> None:
    for part in _parts(event):
        part.pop("thoughtSignature", None)
    actions = {k: v for k, v in event.pop("actions", {}).items() if v != {}}
    if actions:
        event["actions"] = actions


def _parts(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = event.get("content", {}).get("parts") or []
    return parts


def _values(event: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    for part in _parts(event):
        if isinstance(part.get(kind), dict):
            yield part[kind]
