"""The lines of an export: one JSON object each, in a versioned schema.

    {"adksess":1,"kind":"session","app_name":"demo","user_id":"ada","session_id":"8e42",
     "expires_at":"2026-11-23T08:29:41.000000+00:00","document":{…the stored document…}}
    {"adksess":1,"kind":"app_state","app_name":"demo","state":{…}}
    {"adksess":1,"kind":"user_state","app_name":"demo","user_id":"ada","state":{…}}

`expires_at` is null for a session that never expires. `document` is the stored document with tabs
in place of newlines: the JSON is the same, and a reader can split it at the tabs and parse one
event at a time. A document that another program rewrote is parsed whole.
"""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adksess.store.document import (
    Document,
    Tail,
    decode,
    encode,
    iso_time,
    json_bytes,
    parse_json,
)
from adksess.store.durations import MAX_SECONDS
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import StoredState, StoredValue

SCHEMA = 1
"""The version of the schema, which every line carries as `adksess`."""

_DOCUMENT = b',"document":'
_EVENTS = b',"events":['
_TAIL = b'\t],"state":{'
_LATEST = 253_402_300_799.0  # the end of the year 9999, which ISO 8601 can still write
_TAIL_FIELDS = frozenset(Tail._fields) | {"tail_bytes"}
_NAMES = frozenset(SessionRef._fields)


class InvalidRecord(ValueError):
    """A line that is not a record. The message says why, without the line's content."""


@dataclass(frozen=True)
class SessionRecord:
    """One session. `expires_at` is in Unix seconds, None for never."""

    document: Document
    expires_at: float | None

    def stored(self, ttl: int | None = None) -> StoredValue | None:
        """Return what to store; None when it has expired.

        `ttl` in seconds (0 for never) replaces the expiry.
        """
        ttl_ms = None
        if ttl is not None:
            ttl_ms = ttl * 1000 or None
        elif self.expires_at is not None:
            ttl_ms = round((self.expires_at - time.time()) * 1000)
            if ttl_ms <= 0:
                return None
        return StoredValue(self.document.ref, encode(self.document), ttl_ms)


Record = SessionRecord | StoredState


def session_line(stored: StoredValue) -> bytes:
    """Return the line of a session that was read just now, with its newline."""
    expires_at = None
    if stored.ttl_ms is not None:
        expires_at = iso_time(min(time.time() + stored.ttl_ms / 1000, _LATEST))
    record = {
        "adksess": SCHEMA,
        "kind": "session",
        **stored.ref._asdict(),
        "expires_at": expires_at,
    }
    # in JSON both are white space between tokens; inside of a text they are escaped
    document = stored.value.translate(_ONE_LINE)
    return b"".join((json_bytes(record)[:-1], _DOCUMENT, document, b"}\n"))


_ONE_LINE = bytes.maketrans(b"\n\r", b"\t\t")


def state_line(state: StoredState) -> bytes:
    """Return the line of an app's or a user's state, with its newline."""
    owner = {"app_name": state.app_name}
    if state.user_id is not None:
        owner["user_id"] = state.user_id
    kind = "app_state" if state.user_id is None else "user_state"
    record = {"adksess": SCHEMA, "kind": kind, **owner, "state": dict(state.state)}
    return json_bytes(record) + b"\n"


def read_line(line: bytes) -> Record:
    """Read a line and validate all of it. Raises InvalidRecord."""
    try:
        return _read_parts(line)
    except InvalidRecord:
        raise
    except ValueError:
        pass  # not as an export writes it
    try:
        fields = parse_json(line)
    except ValueError as exc:
        raise InvalidRecord("it is not JSON, or was cut short") from exc
    ref, document = _check_header(fields), None
    if isinstance(ref, StoredState):
        return ref
    if isinstance(text := fields.get("document_text"), str):  # exports of version 0.1
        document = _parse_text(text)
    elif isinstance(fields.get("document"), dict):
        document = fields["document"]
    if not isinstance(document, dict):
        raise InvalidRecord("it has no document")
    return SessionRecord(read_document(document, ref), _expiry(fields))


def read_document(fields: Mapping[str, Any], ref: SessionRef) -> Document:
    """Validate the parsed document of a session. Raises InvalidRecord."""
    if any(fields.get(name, value) != value for name, value in ref._asdict().items()):
        raise InvalidRecord("its names are not those in its document")
    if "tail_bytes" not in fields:
        return _foreign_document(fields, ref)
    events = fields.get("events")
    if not isinstance(events, list):
        raise InvalidRecord("its document is not a session")
    rest = {k: v for k, v in fields.items() if k != "events" and k not in _NAMES}
    lines = [_event_line(event, number) for number, event in enumerate(events, 1)]
    return Document(ref, _check_tail(rest, len(lines)), lines)


def same_session(stored: StoredValue | None, value: StoredValue) -> bool:
    """Return whether a stored session equals a value, apart from its layout and expiry."""
    if stored is None or stored.value == value.value:
        return stored is not None
    try:
        one, other = decode(stored.value, stored.ref), decode(value.value, value.ref)
        if one.tail != other.tail or len(one.events) != len(other.events):
            return False
        pairs = zip(one.events, other.events, strict=True)
        return all(a == b or json_bytes(parse_json(a)) == b for a, b in pairs)
    except (SessionUnreadable, ValueError):
        return False


def renamed(record: Record, apps: Mapping[str, str], users: Mapping[str, str]) -> Record:
    """Return the record under the new names of its app and user, if they have any."""
    if isinstance(record, StoredState):
        user_id = None if record.user_id is None else users.get(record.user_id, record.user_id)
        app_name = apps.get(record.app_name, record.app_name)
        return replace(record, app_name=app_name, user_id=user_id)
    app_name, user_id, session_id = record.document.ref
    ref = SessionRef(apps.get(app_name, app_name), users.get(user_id, user_id), session_id)
    return replace(record, document=replace(record.document, ref=ref))


def _read_parts(line: bytes) -> SessionRecord:
    """Read the line of a session as an export writes it, one event at a time.

    A session of 350 MB takes five times that as parsed JSON. Every part is parsed, so the
    result is that of parsing the whole. Raises ValueError, also for a line in another form.
    """
    start = line.index(_DOCUMENT)
    fields = parse_json(line[:start] + b"}")
    ref = _check_header(fields)
    if isinstance(ref, StoredState):
        raise ValueError("not a session")
    start += len(_DOCUMENT)
    events = line.index(_EVENTS, start)
    tail = line.index(_TAIL, events)
    if parse_json(line[start:events] + b"}") != ref._asdict():
        raise ValueError("other names")
    rest = line[tail + len(b"\t],") :].rstrip()
    if not rest.endswith(b"}}"):
        raise ValueError("the document is not the last field")
    lines = [
        _event_line(parse_json(text), number)
        for number, text in enumerate(_split(line, events + len(_EVENTS), tail), 1)
    ]
    return SessionRecord(
        Document(ref, _check_tail(parse_json(b"{" + rest[:-1]), len(lines)), lines),
        _expiry(fields),
    )


def _split(line: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield the texts between tabs, each but the last with a comma before the next tab."""
    if start == end:
        return
    if line[start : start + 1] != b"\t":
        raise ValueError("no tab before the first event")
    start += 1
    while (comma := line.find(b",\t", start, end)) >= 0:
        yield line[start:comma]
        start = comma + 2
    yield line[start:end]


def _check_header(fields: Any) -> SessionRef | StoredState:
    """Return the names of a session's record, or the whole of a state's."""
    if not isinstance(fields, dict) or "adksess" not in fields:
        raise InvalidRecord("it is not a record of `adksess export`")
    if fields["adksess"] != SCHEMA:
        raise InvalidRecord(f"its schema is not version {SCHEMA}: use the adksess that wrote it")
    kind = fields.get("kind")
    if kind == "session":
        return checked_ref(*(_text(fields, name) for name in SessionRef._fields))
    if kind == "app_state":
        return StoredState(_text(fields, "app_name"), None, _state(fields))
    if kind == "user_state":
        return StoredState(_text(fields, "app_name"), _text(fields, "user_id"), _state(fields))
    raise InvalidRecord("its kind is none of session, app_state, user_state")


def checked_ref(app_name: str, user_id: str, session_id: str) -> SessionRef:
    """Return the names of a session. Raises InvalidRecord for an id that ADK would change."""
    if not session_id.strip():
        raise InvalidRecord("its session_id is blank")
    if session_id != session_id.strip():
        raise InvalidRecord("its session_id begins or ends with white space, which ADK removes")
    return SessionRef(app_name, user_id, session_id)


def _check_tail(fields: Any, events: int) -> Tail:
    """Validate everything of a document but its names and events."""
    if not isinstance(fields, dict) or fields.keys() - _TAIL_FIELDS:
        raise InvalidRecord("its document has fields that this version of adksess does not know")
    if not isinstance(fields.get("state"), dict):
        raise InvalidRecord("the state in its document is not an object")
    if type(fields.get("event_count")) is not int or fields["event_count"] != events:
        raise InvalidRecord("the number of its events is not its event_count")
    _json(fields["state"])
    ttl = fields.get("ttl")
    if ttl is not None and (type(ttl) is not int or not 0 < ttl <= MAX_SECONDS):
        raise InvalidRecord("the ttl in its document is not between one second and ten years")
    title = fields.get("title")
    if title is not None and not isinstance(title, str):
        raise InvalidRecord("the title in its document is not a text")
    try:
        return Tail(
            state=fields["state"],
            created_at=_moment(fields["created_at"]),
            updated_at=_moment(fields["updated_at"]),
            last_update_time=_finite(fields["last_update_time"]),
            event_count=events,
            newest_event_time=_finite(fields["newest_event_time"]),
            ttl=ttl,
            title=title,
        )
    except (KeyError, ValueError, TypeError, OverflowError) as exc:
        raise InvalidRecord("its document is not a session") from exc


def _foreign_document(fields: Mapping[str, Any], ref: SessionRef) -> Document:
    """Convert a document of another tool."""
    try:
        document = decode(_json(fields), ref)
    except SessionUnreadable as exc:
        raise InvalidRecord("its document is not a session") from exc
    for number, line in enumerate(document.events, 1):
        _event_line(parse_json(line), number)
    return document


def _event_line(event: Any, number: int) -> bytes:
    if not isinstance(event, dict):
        raise InvalidRecord(f"event {number} of its document is not an object")
    try:
        _finite(event.get("timestamp"))
    except (ValueError, OverflowError) as exc:
        raise InvalidRecord(f"event {number} of its document has no timestamp") from exc
    return _json(event)


def _json(value: Any) -> bytes:
    try:
        return json_bytes(value)
    except (RecursionError, ValueError) as exc:
        raise InvalidRecord("its document is nested too deeply") from exc


def _parse_text(text: str) -> Any:
    try:
        return parse_json(text.encode())
    except ValueError as exc:
        raise InvalidRecord("its document_text is not JSON") from exc


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _moment(text: Any) -> str:
    return iso_time(datetime.fromisoformat(text).timestamp())


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidRecord(f"its {name} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRecord(f"its {name} is not Unicode") from exc
    return value


def _state(fields: Mapping[str, Any]) -> dict[str, Any]:
    state = fields.get("state")
    if not isinstance(state, dict):
        raise InvalidRecord("its state is not an object")
    return state


def _expiry(fields: Mapping[str, Any]) -> float | None:
    expires = fields.get("expires_at")
    if expires is None:
        return None
    try:
        return datetime.fromisoformat(expires).timestamp()
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidRecord("its expires_at is not a time in ISO 8601") from exc
