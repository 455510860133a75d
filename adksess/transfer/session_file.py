"""ADK's session files as records to import."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adksess.store.foreign_json import read_foreign
from adksess.store.models import StoredState
from adksess.store.state import APP, USER
from adksess.transfer.migration import completed_event
from adksess.transfer.ndjson import InvalidRecord, Record, SessionRecord, checked_ref
from adksess.transfer.source_session import SourceSession
from adksess.transfer.store_receiver import new_document


@dataclass(frozen=True)
class SessionFileOptions:
    """How to read ADK's session files.

    `encode_event` returns an event as ADK writes it, or raises ValueError. `app_name`, `user_id`
    and `session_id` replace the names in a file. `ttl` in seconds is that of a new session, 0 for
    none: a session file has no expiry.
    """

    encode_event: Callable[[Mapping[str, Any]], bytes]
    app_name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    ttl: int = 0

    @property
    def has_names(self) -> bool:
        """Whether a name is replaced."""
        return (self.app_name, self.user_id, self.session_id) != (None, None, None)


def is_session_file(fields: Any) -> bool:
    """Return whether parsed JSON is a session as ADK writes it."""
    return (
        isinstance(fields, dict)
        and isinstance(fields.get("events", []), list)
        and ("appName" in fields or "app_name" in fields)
        and ("userId" in fields or "user_id" in fields)
        and "adksess" not in fields
    )


def read_session_file(fields: Any, options: SessionFileOptions) -> Iterator[Record]:
    """Yield the session and the `app:` and `user:` state of a file. Raises InvalidRecord."""
    try:
        session = read_foreign(fields)
    except ValueError as exc:
        raise InvalidRecord(str(exc)) from exc
    given = (options.app_name, options.user_id, options.session_id)
    names = [new if new is not None else old for new, old in zip(given, session.names, strict=True)]
    if None in names:
        raise InvalidRecord("it does not name its app, user and id: use --app, --user and --id")
    ref = checked_ref(*map(str, names))
    source = SourceSession(
        name=ref.path,
        ref=ref,
        state=session.state,
        events=session.events,
        last_update_time=session.last_update_time,
        created=session.created,
    )
    yield _session_record(source, options)
    for scope, owner in ((APP, None), (USER, ref.user_id)):
        if values := source.shared_state(scope):
            yield StoredState(ref.app_name, owner, values)


def _session_record(source: SourceSession, options: SessionFileOptions) -> SessionRecord:
    try:
        lines = [
            options.encode_event(completed_event(event, number, source))
            for number, event in enumerate(source.events, 1)
        ]
        document = new_document(source, lines)
    except (ValueError, OverflowError, RecursionError) as exc:
        raise InvalidRecord(str(exc)) from exc
    expires_at = time.time() + options.ttl if options.ttl else None
    return SessionRecord(document, expires_at)
