"""The session document: one JSON object, laid out so that an append rewrites only its end.

    {"app_name":"demo","user_id":"user","session_id":"8e42","events":[
    {…event 1…},
    {…event 2…}
    ],"state":{
    "turns":2,
    "topic":"math"
    },"created_at":"…","updated_at":"…",…,"event_count":         2,"tail_bytes":        217}

Compact JSON holds no raw newline, so a newline always separates. The tail starts at
`\\n],"state":{` and holds everything mutable. Its last number is its own length in bytes, in a
fixed width, so a reader finds it without reading the history. append_event.lua writes the same
layout.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, from_json, to_json

from adksess.store.errors import SessionUnreadable
from adksess.store.foreign_json import as_seconds, read_foreign
from adksess.store.keys import SessionRef
from adksess.store.state import TEMP

TAIL_OPEN = b'\n],"state":{'
_STATE_CLOSE = b'\n},"created_at":'
_EVENTS_OPEN = b',"events":['
_SEPARATOR = b",\n"
_TAIL_LABEL = b'"tail_bytes":'
_WIDTH = 11
MAX_DIGITS = 10_000
"""Digits of the longest integer that is read: 3 ms. The time is quadratic: a million takes 70 s."""

_LARGE = 16_000_000
_FOOTER_BYTES = len(_TAIL_LABEL) + _WIDTH + 1


class Tail(NamedTuple):
    """Everything of a session except its history.

    `created_at` and `updated_at` are ISO 8601 in UTC. `last_update_time` is the timestamp of the
    last event and `newest_event_time` the greatest of all events, in Unix seconds. `ttl` is the
    session's own in seconds, None for the service's. `title` is the first message of the user, ""
    until there is one, None in documents that do not record it.

    A named tuple because a listing makes one per session: a frozen dataclass takes as long to
    build as its JSON takes to parse.
    """

    state: dict[str, Any]
    created_at: str
    updated_at: str
    last_update_time: float
    event_count: int
    newest_event_time: float = 0.0
    ttl: int | None = None
    title: str | None = None


@dataclass(frozen=True)
class Document:
    """A session: its names, its tail, and its events, each as compact JSON.

    Of a partial read `events` are the last ones; `tail.event_count` counts all.
    """

    ref: SessionRef
    tail: Tail
    events: Sequence[bytes] = ()


def iso_time(timestamp: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC, always 32 characters.

    Raises ValueError for a time before the year 1 or after 9999.
    """
    try:
        moment = datetime.fromtimestamp(timestamp, UTC)
    except (OverflowError, OSError) as exc:  # by the size of the number
        raise ValueError("a time is out of range") from exc
    return moment.isoformat(timespec="microseconds")


def json_bytes(value: Any, *, indent: int | None = None) -> bytes:
    """Return compact JSON, or indented JSON. NaN and infinity, which JSON lacks, become null."""
    try:
        return to_json(value, indent=indent, inf_nan_mode="null")
    except (PydanticSerializationError, UnicodeEncodeError):
        # A lone surrogate (half an emoji, an undecodable file name) has no UTF-8, but an escape.
        separators = (",", ":") if indent is None else None
        return json.dumps(
            value, indent=indent, separators=separators, allow_nan=False, default=str
        ).encode()


def parse_json(value: bytes) -> Any:
    """Parse JSON. Raises ValueError.

    pydantic_core is fast, but rejects lone surrogates, 4,300 digits and 200 levels, which
    json_bytes() may have written.
    """
    try:
        return from_json(value)
    except ValueError:
        try:
            return json.loads(value, parse_int=_parse_int)
        except RecursionError as exc:
            raise ValueError("nested too deeply") from exc


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of more than {MAX_DIGITS:,} digits")
    return int(Decimal(digits))


def state_entries(state: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return each key and value of a state as JSON."""
    return [(json_bytes(key), json_bytes(value)) for key, value in state.items()]


def encode(document: Document) -> bytes:
    """Return the value that is stored at the session's key."""
    parts = [_encode_names(document.ref)]
    separator = b"\n"
    for event in document.events:  # one join: a document may have hundreds of megabytes
        parts += (separator, event)
        separator = _SEPARATOR
    parts.append(_encode_tail(document.tail))
    return b"".join(parts)


class Splice(NamedTuple):
    """A new value in terms of the old one: `head + old[start:end] + tail`."""

    head: bytes
    start: int
    end: int
    tail: bytes

    @property
    def size(self) -> int:
        """The length of the new value."""
        return len(self.head) + self.end - self.start + len(self.tail)


def splice(old: bytes, new: Document) -> Splice:
    """Encode `new`, which has its last events in common with an old value.

    So a trim of a large session sends and copies only what is new.
    """
    end = find_tail(old) or 0
    start, common = end, 0
    for line in reversed(new.events) if end else ():
        at = start - len(line) - (len(_SEPARATOR) if common else 0)
        if old[at - 1 : at] != b"\n" or not old.startswith(line, at):
            break
        start, common = at, common + 1
    first = new.events[: len(new.events) - common]
    parts = [_encode_names(new.ref), b"\n" if new.events else b"", _SEPARATOR.join(first)]
    if common and first:
        parts.append(_SEPARATOR)
    return Splice(b"".join(parts), start, end, _encode_tail(new.tail))


def updated_second(tail: Tail) -> int:
    """Return the second of a session's last update: its score in the recency index."""
    return math.floor(datetime.fromisoformat(tail.updated_at).timestamp())


def find_tail(chunk: bytes) -> int | None:
    """Return where the tail starts in the end of a document; None for another layout."""
    if chunk[-1:] != b"}" or chunk[-_FOOTER_BYTES : -_WIDTH - 1] != _TAIL_LABEL:
        return None
    try:
        start = len(chunk) - int(chunk[-_WIDTH - 1 : -1])
    except ValueError:
        return None
    return start if start >= 0 and chunk.startswith(TAIL_OPEN, start) else None


def decode_tail(data: bytes) -> Tail:
    """Parse a tail. Raises ValueError, KeyError or TypeError if it is not a tail."""
    fields = parse_json(b"{" + data[len(b"\n],") :])
    state, count = fields["state"], fields["event_count"]
    ttl, title = fields.get("ttl"), fields.get("title")
    if not (
        isinstance(state, dict)
        and type(count) is int
        and count >= 0
        and (ttl is None or type(ttl) is int)
        and (title is None or isinstance(title, str))
    ):
        raise ValueError("a field has another type")
    updated, newest = float(fields["last_update_time"]), float(fields["newest_event_time"])
    if not (math.isfinite(updated) and math.isfinite(newest)):  # JSON cannot hold it
        raise ValueError("a time is not finite")
    created_at, updated_at = fields["created_at"], fields["updated_at"]
    datetime.fromisoformat(created_at)
    datetime.fromisoformat(updated_at)
    # by position: names take a tenth of the time of a listing's tail
    return Tail(state, created_at, updated_at, updated, count, newest, ttl, title)


def tail_of(value: bytes, ref: SessionRef) -> Tail:
    """Return the tail of a whole value; only a document of another tool is parsed whole.

    Raises SessionUnreadable.
    """
    start = find_tail(value)
    if start is None:
        return decode(value, ref).tail
    try:
        return decode_tail(value[start:])
    except (ValueError, KeyError, TypeError) as exc:
        raise unreadable(ref, "it is not a session document") from exc


def event_lines(history: bytes) -> list[bytes]:
    """Return the events in the end of a history. The first, which may be cut, is left out."""
    _, newline, whole = history.partition(b"\n")
    return whole.split(_SEPARATOR) if newline else []


def decode(value: bytes, ref: SessionRef) -> Document:
    """Parse a whole value: our layout, or the JSON of another tool.

    Raises SessionUnreadable, naming the session and what is wrong, never its content.
    """
    try:
        start = find_tail(value)
        if start is None:
            return _decode_foreign(value, ref)
        tail = decode_tail(value[start:])
        first = value.index(_EVENTS_OPEN) + len(_EVENTS_OPEN) + 1  # past the newline
        events = _lines(value, first, start) if first <= start else []
        return Document(ref, tail, events)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as exc:
        raise unreadable(ref, "it is not a session document") from exc


def _lines(value: bytes, first: int, stop: int) -> list[bytes]:
    """The lines in a part of a document."""
    if stop - first < _LARGE:
        return value[first:stop].split(_SEPARATOR)
    lines = []  # slower, but without a copy of the whole part
    while (end := value.find(_SEPARATOR, first, stop)) >= 0:
        lines.append(value[first:end])
        first = end + len(_SEPARATOR)
    lines.append(value[first:stop])
    return lines


def as_dict(document: Document) -> dict[str, Any]:
    """Return the stored fields, with events as parsed JSON."""
    tail = document.tail
    return {
        **document.ref._asdict(),
        "state": tail.state,
        "created_at": tail.created_at,
        "updated_at": tail.updated_at,
        "last_update_time": tail.last_update_time,
        "event_count": tail.event_count,
        "events": parse_events(document),
    }


def parse_events(document: Document) -> list[dict[str, Any]]:
    """Return the events as parsed JSON. Raises SessionUnreadable, which names the event."""
    return list(each_event(document))


def each_event(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the events as parsed JSON, one at a time. Raises SessionUnreadable."""
    first = document.tail.event_count - len(document.events) + 1
    for number, line in enumerate(document.events, first):
        try:
            event = parse_json(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise unreadable(document.ref, f"event {number} is not a JSON object")
        yield event


def unreadable(ref: SessionRef, why: str) -> SessionUnreadable:
    """Return the error for a session that cannot be read."""
    return SessionUnreadable(
        f"Session {ref.session_id!r} of user {ref.user_id!r} in app {ref.app_name!r} cannot be "
        f"read: {why}. Its value was left untouched; see it with `redis-cli GET`."
    )


def _encode_names(ref: SessionRef) -> bytes:
    """A document up to its first event."""
    return json_bytes(ref._asdict())[:-1] + _EVENTS_OPEN


def _encode_tail(tail: Tail) -> bytes:
    entries = _SEPARATOR.join(key + b":" + value for key, value in state_entries(tail.state))
    own_ttl = b"" if tail.ttl is None else b',"ttl":%d' % tail.ttl
    title = b"" if tail.title is None else b',"title":' + json_bytes(tail.title)
    footer = (
        f',"newest_event_time":{tail.newest_event_time!r:>20}'
        f',"last_update_time":{tail.last_update_time!r:>20}'
        f',"event_count":{tail.event_count:>10},'
    ).encode()
    body = b"".join(
        (
            TAIL_OPEN,
            b"\n" + entries if entries else b"",
            _STATE_CLOSE,
            json_bytes(tail.created_at),
            own_ttl,
            title,
            b',"updated_at":',
            json_bytes(tail.updated_at),
            footer,
            _TAIL_LABEL,
        )
    )
    return body + b"%*d}" % (_WIDTH, len(body) + _WIDTH + 1)


def _decode_foreign(value: bytes, ref: SessionRef) -> Document:
    """Read a document that another tool wrote."""
    fields = parse_json(value)
    session = read_foreign(fields)
    if not fields.keys() >= {"events", "state"}:  # unrelated JSON must not pass as a session
        raise ValueError("events or state is missing")
    times = [
        seconds
        for event in session.events
        if (seconds := as_seconds(event.get("timestamp"))) is not None
    ]
    updated, created = session.last_update_time, session.created
    if updated is None:
        updated = times[-1] if times else created or 0.0
    if created is None:
        created = times[0] if times else updated
    tail = Tail(
        state={key: item for key, item in session.state.items() if not key.startswith(TEMP)},
        created_at=iso_time(created),
        updated_at=iso_time(updated),
        last_update_time=updated,
        event_count=len(session.events),
        newest_event_time=max(times, default=0.0),
    )
    return Document(ref, tail, [json_bytes(event) for event in session.events])
