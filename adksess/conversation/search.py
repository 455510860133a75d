"""Search stored conversations: messages, speech, tools, errors, titles and state.

Documents are read in batches of bounded size, newest session first. An event is parsed only if
its bytes can match.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from adksess.conversation.history import (
    Event,
    content_parts,
    get_field,
    get_object,
    part_fields,
    timestamp,
)
from adksess.conversation.overview import read_statuses
from adksess.conversation.status import Status, event_error, tool_error
from adksess.conversation.text_pattern import Found, TextPattern
from adksess.store.batches import batched
from adksess.store.document import Document, decode, json_bytes, parse_json
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import TITLE_KEY
from adksess.store.prefetch import prefetch
from adksess.store.query import Source

if TYPE_CHECKING:
    from adksess.store.filters import SessionFilter
    from adksess.store.store import SessionStore

_FIRST_BYTES = 262_144
_BATCH_BYTES = 4_000_000
_MAX_BATCH = 1_000
_FIRST_SESSIONS = 50
_MAX_SUMMARY = 200
_ERROR = TextPattern("rror")
"""In the name of every field that holds an error: `error_code`, `errorMessage`, `isError`."""


@dataclass(frozen=True)
class SearchOptions:
    """What to search for. Without `pattern`, `tool` or `errors` find every call or error.

    `author` and `tool` are exact names; `statuses` are those a session may have, () for all.
    """

    pattern: TextPattern | None = None
    author: str | None = None
    tool: str | None = None
    errors: bool = False
    statuses: tuple[Status, ...] = ()

    def may_match(self, data: bytes) -> bool:
        """Return whether JSON may hold what is searched for, before it is parsed."""
        return (
            (self.pattern is None or self.pattern.may_match(data))
            and (not self.errors or _ERROR.may_match(data))
            and all(name.may_match(data) for name in self._names)
        )

    @cached_property
    def _names(self) -> list[TextPattern]:
        return [TextPattern(name) for name in (self.author, self.tool) if name is not None]


class Match(NamedTuple):
    """A line that matches. `number` is the event's position from 1, None for title and state.

    `field` is `text`, `transcription`, `tool`, `arguments`, `result`, `error`, `code`, `output`,
    `title` or `state`. `timestamp` is in Unix seconds.
    """

    ref: SessionRef
    key: str
    number: int | None
    event_id: str | None
    timestamp: float | None
    author: str | None
    field: str
    found: Found


@dataclass
class SearchProgress:
    """The progress of a search; `unreadable` documents were left out."""

    sessions: int = 0
    unreadable: int = 0


class _Candidate(NamedTuple):
    """A session to search: only what is needed to read it, since there may be a million."""

    updated: float
    key: str
    ref: SessionRef
    size_bytes: int


async def search(
    store: "SessionStore",
    only: "SessionFilter",
    options: SearchOptions,
    progress: SearchProgress | None = None,
) -> AsyncGenerator[list[Match], None]:
    """Yield the matches of each session that has any, newest session first."""
    counts = progress or SearchProgress()
    async with aclosing(prefetch(_documents(store, only, options))) as batches:
        async for batch in batches:
            for candidate, value in batch:
                counts.sessions += 1
                if value is None or not options.may_match(value):
                    continue
                try:
                    document = decode(value, candidate.ref)
                except SessionUnreadable:
                    counts.unreadable += 1
                    continue
                if matches := list(matches_of(document, candidate.key, options)):
                    yield matches


def matches_of(document: Document, key: str, options: SearchOptions) -> Iterator[Match]:
    """Yield the matches in a document: title and state first, then event by event."""
    ref = document.ref
    if options.pattern and not (options.author or options.tool or options.errors):
        for field, text in _session_texts(document.tail.state):
            for found in options.pattern.find(text):
                yield Match(ref, key, None, None, None, None, field, found)
    for number, line in enumerate(document.events, 1):
        if not options.may_match(line):
            continue
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        author = str(event.get("author") or "")
        if options.author is not None and author != options.author:
            continue
        event_id = event.get("id")
        for field, text in _event_texts(event, options):
            for found in _found(text, options.pattern):
                yield Match(
                    ref,
                    key,
                    number,
                    event_id if isinstance(event_id, str) else None,
                    timestamp(event),
                    author,
                    field,
                    found,
                )


def _found(text: str, pattern: TextPattern | None) -> Iterator[Found]:
    if pattern is not None:
        yield from pattern.find(text)
        return
    line = text.partition("\n")[0]
    yield Found(line, 0, 0)


def _session_texts(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in state.items():
        if name == TITLE_KEY and isinstance(value, dict):
            rest = dict(value)
            title = rest.pop("displayName", None)
            if isinstance(title, str):
                yield "title", title
            value = rest
        for text in _leaves(value):
            yield "state", text


def _event_texts(event: Event, options: SearchOptions) -> Iterator[tuple[str, str]]:
    """Yield the fields of an event that are searched, each with its text."""
    if options.pattern is None:
        yield from _event_lines(event, options)
        return
    if options.tool is None and (error := event_error(event)):
        yield "error", error
    for part in content_parts(event.get("content")):
        for field, text in _part_texts(part, options):
            if not options.errors or field == "error":
                yield field, text
    if options.tool is None and not options.errors:
        for name in ("input_transcription", "output_transcription"):
            if isinstance(spoken := get_object(event, name).get("text"), str):
                yield "transcription", spoken
        for text in _leaves(event.get("output")):
            yield "output", text


def _event_lines(event: Event, options: SearchOptions) -> Iterator[tuple[str, str]]:
    """Yield one line for each call, result or error, if no text is searched for."""
    if options.errors and options.tool is None and (error := event_error(event)):
        yield "error", error
    for response in part_fields(event, "function_response"):
        name = str(get_field(response, "name") or "")
        if options.tool is not None and name != options.tool:
            continue
        if error := tool_error(response):
            yield "error", f"{name}: {error}"
        elif not options.errors:
            yield "result", f"{name}: {_summary(get_field(response, 'response'))}"
    if options.errors:
        return
    for call in part_fields(event, "function_call"):
        if str(get_field(call, "name") or "") == options.tool:
            yield "arguments", f"{options.tool}({_summary(get_field(call, 'args'))})"


def _part_texts(part: Event, options: SearchOptions) -> Iterator[tuple[str, str]]:
    for kind, content in (("function_call", "args"), ("function_response", "response")):
        if not (value := get_object(part, kind)):
            continue
        name = str(get_field(value, "name") or "")
        if options.tool is not None and name != options.tool:
            continue
        yield "tool", name
        is_error = kind == "function_response" and bool(tool_error(value))
        field = "error" if is_error else "arguments" if kind == "function_call" else "result"
        for text in _leaves(get_field(value, content)):
            yield field, text
    if options.tool is not None:
        return
    if isinstance(said := part.get("text"), str):
        yield "text", said
    for kind, content in (("executable_code", "code"), ("code_execution_result", "output")):
        if isinstance(code := get_object(part, kind).get(content), str):
            yield "code", code


def _leaves(value: Any) -> Iterator[str]:
    """Yield the values in a JSON value as text, but not its keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield json_bytes(value).decode()


def _summary(value: Any) -> str:
    text = json_bytes(value).decode()
    return text if len(text) <= _MAX_SUMMARY else f"{text[:_MAX_SUMMARY]}…"


async def _documents(
    store: "SessionStore", only: "SessionFilter", options: SearchOptions
) -> AsyncGenerator[list[tuple[_Candidate, bytes | None]], None]:
    """Yield sessions with their documents, newest first, a bounded number of bytes at a time."""
    room = _FIRST_BYTES
    batch: list[_Candidate] = []
    size = 0
    async with aclosing(_candidates(store, only)) as candidates:
        async for some in candidates:
            for candidate in await _of_status(store, some, options.statuses):
                if batch and (size + candidate.size_bytes > room or len(batch) == _MAX_BATCH):
                    yield await _read(store, batch)
                    batch, size, room = [], 0, min(room * 4, _BATCH_BYTES)
                batch.append(candidate)
                size += candidate.size_bytes
            if batch and room == _FIRST_BYTES:  # the newest ones at once
                yield await _read(store, batch)
                batch, size, room = [], 0, min(room * 4, _BATCH_BYTES)
    if batch:
        yield await _read(store, batch)


async def _read(
    store: "SessionStore", batch: Sequence[_Candidate]
) -> list[tuple[_Candidate, bytes | None]]:
    values = await store.read_documents([candidate.ref for candidate in batch])
    return list(zip(batch, values, strict=True))


async def _candidates(
    store: "SessionStore", only: "SessionFilter"
) -> AsyncGenerator[list[_Candidate], None]:
    """Yield the sessions that can be read, newest first."""
    plan = await store.plan(only)
    found: list[_Candidate] = []
    async with aclosing(store.query(plan, only, first=_FIRST_SESSIONS)) as batches:
        async for batch in batches:
            some = [
                _Candidate(one.updated, one.key, one.ref, one.size_bytes)
                for one in batch
                if one.tail
            ]
            if plan.source is Source.INDEX:
                yield some
            else:
                found += some
    found.sort(key=itemgetter(0), reverse=True)
    for part in batched(found, _MAX_BATCH):
        yield list(part)


async def _of_status(
    store: "SessionStore", candidates: Sequence[_Candidate], wanted: Sequence[Status]
) -> Sequence[_Candidate]:
    if not wanted:
        return candidates
    statuses = await read_statuses(store, [candidate.ref for candidate in candidates])
    return [
        candidate
        for candidate in candidates
        if (status := statuses.get(candidate.ref)) and status.status in wanted
    ]
