"""The lines of an export: one JSON object each, in a versioned schema.

    {"adksess":1,"kind":"session","app_name":"demo","user_id":"ada","session_id":"8e42",
     "expires_at":"2026-11-23T08:29:41.000000+00:00","document":{…the stored document…}}
    {"adksess":1,"kind":"app_state","app_name":"demo","state":{…}}
    {"adksess":1,"kind":"user_state","app_name":"demo","user_id":"ada","state":{…}}

`expires_at` is null for a session that never expires. The document is exactly what stands at the
session's key, with tabs where it has newlines, so that it fits on a line and can be put back byte
for byte. One that has tabs of its own stands as text in `document_text`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adksess.store.document import (
    Document,
    decode,
    encode,
    find_tail,
    iso_time,
    json_bytes,
    parse_json,
)
from adksess.store.errors import SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import StoredState, StoredValue

SCHEMA = 1
"""The version of the schema, which every line carries as `adksess`."""

_DOCUMENT = b',"document":'
_LATEST = 253_402_300_799.0  # the end of the year 9999, which ISO 8601 can still write


class InvalidRecord(ValueError):
    """A line that is not a record. The message says why, without the line's content."""


@dataclass(frozen=True)
class SessionRecord:
    """One session. `expires_at` is in Unix seconds, None for never."""

    ref: SessionRef
    value: bytes
    expires_at: float | None

    @classmethod
    def of(cls, stored: StoredValue) -> "SessionRecord":
        """The record of a session as it was read just now."""
        expires = None if stored.ttl_ms is None else time.time() + stored.ttl_ms / 1000
        return cls(stored.ref, stored.value, expires)

    def stored(self, ttl: int | None = None) -> StoredValue | None:
        """What to put back; None when it has expired. `ttl` (0 for ever) replaces its expiry."""
        if ttl is not None:
            return StoredValue(self.ref, self.value, ttl * 1000 or None)
        if self.expires_at is None:
            return StoredValue(self.ref, self.value, None)
        left = round((self.expires_at - time.time()) * 1000)
        return StoredValue(self.ref, self.value, left) if left > 0 else None

    def line(self) -> bytes:
        """The record as JSON on one line, with its newline."""
        expires = None if self.expires_at is None else iso_time(min(self.expires_at, _LATEST))
        names = {
            "adksess": SCHEMA,
            "kind": "session",
            "app_name": self.ref.app_name,
            "user_id": self.ref.user_id,
            "session_id": self.ref.session_id,
            "expires_at": expires,
        }
        if b"\t" in self.value or b"\r" in self.value:
            return json_bytes(names | {"document_text": self.value.decode()}) + b"\n"
        one_line = self.value.replace(b"\n", b"\t")
        return json_bytes(names)[:-1] + _DOCUMENT + one_line + b"}\n"


Record = SessionRecord | StoredState


def state_line(state: StoredState) -> bytes:
    """The record of an app's or a user's state, with its newline."""
    owner = {"app_name": state.app_name}
    if state.user_id is not None:
        owner["user_id"] = state.user_id
    kind = "app_state" if state.user_id is None else "user_state"
    record = {"adksess": SCHEMA, "kind": kind, **owner, "state": dict(state.state)}
    return json_bytes(record) + b"\n"


def read_line(line: bytes) -> Record:
    """The record on a line, validated as a whole. Raises InvalidRecord."""
    try:
        fields = parse_json(line)
    except ValueError as exc:
        raise InvalidRecord("it is not JSON, or was cut short") from exc
    if not isinstance(fields, dict) or "adksess" not in fields:
        raise InvalidRecord("it is not a record of `adksess export`")
    if fields["adksess"] != SCHEMA:
        raise InvalidRecord(f"its schema is not version {SCHEMA}: use the adksess that wrote it")
    kind = fields.get("kind")
    if kind == "session":
        return _session(line, fields)
    if kind == "app_state":
        return StoredState(_text(fields, "app_name"), None, _state(fields))
    if kind == "user_state":
        return StoredState(_text(fields, "app_name"), _text(fields, "user_id"), _state(fields))
    raise InvalidRecord("its kind is none of session, app_state, user_state")


def renamed(record: Record, apps: Mapping[str, str]) -> Record:
    """The record under the new name of its app, if that has one."""
    if isinstance(record, StoredState):
        return replace(record, app_name=apps.get(record.app_name, record.app_name))
    new = apps.get(record.ref.app_name)
    if new is None:
        return record
    ref = record.ref._replace(app_name=new)
    if find_tail(record.value) is None:
        return replace(record, ref=ref, value=encode(_at(decode(record.value, record.ref), ref)))
    rest = record.value[len(_head(record.ref)) :]
    return replace(record, ref=ref, value=_head(ref) + rest)


def _session(line: bytes, fields: dict[str, Any]) -> SessionRecord:
    ref = SessionRef(
        _text(fields, "app_name"), _text(fields, "user_id"), _text(fields, "session_id")
    )
    if not ref.session_id.strip():
        raise InvalidRecord("its session_id is blank")
    value = _value(line, fields)
    try:
        document = decode(value, ref)
    except SessionUnreadable as exc:
        raise InvalidRecord("its document is not a session") from exc
    parsed = parse_json(value)
    _check(document, parsed)
    if find_tail(value) is not None:
        if not value.startswith(_head(ref) + b","):
            raise InvalidRecord("its names are not those in its document")
        canonical = encode(document)
        # a layout that only looks like ours would be damaged by the next append
        return SessionRecord(ref, value if _same(value, canonical) else canonical, _expiry(fields))
    for name, ours in zip(("app_name", "user_id", "session_id"), ref, strict=True):
        if parsed.get(name, ours) != ours:
            raise InvalidRecord("its names are not those in its document")
    if "tail_bytes" in parsed:  # ours, but another program has written the line anew
        value = encode(_with_tail_of(document, parsed))
    return SessionRecord(ref, value, _expiry(fields))


def _value(line: bytes, fields: dict[str, Any]) -> bytes:
    """The document's bytes as they stood at the key."""
    if isinstance(text := fields.get("document_text"), str):
        try:
            return text.encode()
        except UnicodeEncodeError as exc:
            raise InvalidRecord("its document_text is not Unicode") from exc
    if not isinstance(fields.get("document"), dict):
        raise InvalidRecord("it has no document")
    raw = line.strip().partition(_DOCUMENT)[2][:-1]
    try:
        if parse_json(raw) == fields["document"]:
            return raw.replace(b"\t", b"\n")
    except ValueError:
        pass  # the document does not stand last, so another program wrote the line
    return json_bytes(fields["document"])


def _check(document: Document, parsed: dict[str, Any]) -> None:
    events = parsed["events"]
    if len(events) != len(document.events) or len(events) != document.tail.event_count:
        raise InvalidRecord("the number of its events is not its event_count")
    for number, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise InvalidRecord(f"event {number} of its document is not an object")
        stamp = event.get("timestamp")
        if not isinstance(stamp, int | float) or isinstance(stamp, bool):
            raise InvalidRecord(f"event {number} of its document has no timestamp")
    if not isinstance(document.tail.state, dict):
        raise InvalidRecord("the state in its document is not an object")


def _with_tail_of(document: Document, parsed: dict[str, Any]) -> Document:
    try:
        own_ttl = parsed.get("ttl")
        tail = document.tail._replace(
            state=parsed["state"],
            created_at=iso_time(datetime.fromisoformat(parsed["created_at"]).timestamp()),
            updated_at=iso_time(datetime.fromisoformat(parsed["updated_at"]).timestamp()),
            last_update_time=float(parsed["last_update_time"]),
            newest_event_time=float(parsed["newest_event_time"]),
            ttl=None if own_ttl is None else int(own_ttl),
        )
        return replace(document, tail=tail)
    except (KeyError, ValueError, TypeError, OverflowError) as exc:
        raise InvalidRecord("its document is not a session") from exc


def _same(value: bytes, canonical: bytes) -> bool:
    """Whether two documents differ at most in the blanks that appends leave at the end."""
    body, _, _ = value.rpartition(b'"tail_bytes":')
    expected, _, _ = canonical.rpartition(b'"tail_bytes":')
    return body.rstrip(b" ") == expected


def _head(ref: SessionRef) -> bytes:
    return json_bytes(
        {"app_name": ref.app_name, "user_id": ref.user_id, "session_id": ref.session_id}
    )[:-1]


def _at(document: Document, ref: SessionRef) -> Document:
    return replace(document, ref=ref)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InvalidRecord(f"its {name} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRecord(f"its {name} is not Unicode") from exc
    return value


def _state(fields: dict[str, Any]) -> dict[str, Any]:
    state = fields.get("state")
    if not isinstance(state, dict):
        raise InvalidRecord("its state is not an object")
    return state


def _expiry(fields: dict[str, Any]) -> float | None:
    expires = fields.get("expires_at")
    if expires is None:
        return None
    try:
        return datetime.fromisoformat(expires).timestamp()
    except (TypeError, ValueError, OverflowError) as exc:
        raise InvalidRecord("its expires_at is not a time in ISO 8601") from exc
