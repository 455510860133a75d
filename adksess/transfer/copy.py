"""Copy a session, whole or as it was before an event: the copy continues independently."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import uuid4

from adksess.conversation.history import event_actions, get_object, invocation_id, timestamp
from adksess.conversation.titles import first_message
from adksess.store.document import Document, Tail, decode, each_event, encode, iso_time
from adksess.store.errors import SessionExists, SessionNotFound, SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import TITLE_KEY, PutResult, StoredValue
from adksess.store.state import APP, USER
from adksess.store.store import SessionStore
from adksess.transfer.replay import state_before


class EventNotFound(SessionNotFound):
    """A session has no such event or invocation."""


@dataclass(frozen=True)
class CopyOptions:
    """How to copy. Names that are None stay as they are, but a session of the same app and user
    in the same Redis gets a new id.

    `before` is the number of an event, from 1, or an invocation id: the copy ends before it.
    `ttl` in seconds (0 for never) is a TTL of the copy's own, kept at every append; None keeps
    the remaining TTL of the original.
    """

    session_id: str | None = None
    user_id: str | None = None
    app_name: str | None = None
    before: int | str | None = None
    ttl: int | None = None


@dataclass(frozen=True)
class CopyResult:
    """A copy: its names and number of events.

    `unknown` are state keys that the copy lacks, since their value at that moment is not known.
    `shared` says whether the session has changed `app:` or `user:` state, which is not copied.
    """

    ref: SessionRef
    event_count: int
    unknown: Sequence[str] = ()
    shared: bool = False


async def copy_session(
    store: SessionStore,
    ref: SessionRef,
    options: CopyOptions,
    target: SessionStore | None = None,
) -> CopyResult:
    """Copy a session in its store, or to another one.

    The original is not changed. The copy's state has what the original's had at that moment:
    values that were given at creation and that no event has set, and what the events set. It
    notes where it comes from: `__session_metadata__.forkedFrom`. Raises SessionNotFound,
    EventNotFound, SessionExists when the names are taken, and SessionUnreadable.
    """
    values = await store.values([ref])
    if not values:
        raise SessionNotFound(f"Session {ref.session_id!r} not found.")
    (stored,) = values
    document = decode(stored.value, ref)
    target = target or store
    new = _new_ref(ref, options, is_same_store=target is store)
    unknown: list[str] = []
    if options.before is not None:
        document, unknown = _before(document, options.before)
    moment = iso_time(await target.now())
    state = _with_origin(document)
    tail = document.tail._replace(state=state, created_at=moment, updated_at=moment)
    ttl_ms = stored.ttl_ms
    if options.ttl is not None:
        tail, ttl_ms = tail._replace(ttl=options.ttl or None), options.ttl * 1000 or None
    value = encode(replace(document, ref=new, tail=tail))
    (result,) = await target.put([StoredValue(new, value, ttl_ms)])
    if result is PutResult.WRONG_TYPE:
        raise SessionUnreadable(f"The key of session {new.path} holds something else.")
    if result is not PutResult.STORED:
        raise SessionExists(f"Session {new.path} already exists: choose another name.")
    has_shared = new.user != ref.user or target is not store
    return CopyResult(
        new, tail.event_count, unknown, has_shared and _changes_shared_state(document)
    )


def _new_ref(ref: SessionRef, options: CopyOptions, *, is_same_store: bool) -> SessionRef:
    new = SessionRef(
        ref.app_name if options.app_name is None else options.app_name,
        ref.user_id if options.user_id is None else options.user_id,
        ref.session_id if options.session_id is None else options.session_id.strip(),
    )
    if not new.session_id or (new == ref and is_same_store and options.session_id is None):
        return new._replace(session_id=str(uuid4()))
    return new


def _before(document: Document, before: int | str) -> tuple[Document, list[str]]:
    """Return the document as it was before an event, and the keys that are not known."""
    count = _position(document, before)
    past = state_before(document, count)
    times = [timestamp(event) for event in islice(each_event(document), count)]
    title = first_message(islice(each_event(document), count))
    tail = Tail(
        state=past.known,
        created_at=document.tail.created_at,
        updated_at=document.tail.updated_at,
        last_update_time=times[-1] if times else document.tail.last_update_time,
        event_count=count,
        newest_event_time=max(times, default=0.0),
        ttl=document.tail.ttl,
        # of a trimmed session the message that gave the title may be dropped already
        title=(document.tail.title or title) if title else "",
    )
    return Document(document.ref, tail, document.events[:count]), past.unknown


def _position(document: Document, before: int | str) -> int:
    ref, count = document.ref, len(document.events)
    if isinstance(before, int):
        if not 1 <= before <= count + 1:
            raise EventNotFound(
                f"Session {ref.session_id!r} has {count:,} events, and no event {before:,}."
            )
        return before - 1
    for position, event in enumerate(each_event(document)):
        if invocation_id(event) == before:
            return position
    raise EventNotFound(
        f"Session {ref.session_id!r} has no invocation {before!r}: see its events with "
        f"adksess show {ref.path} --events all."
    )


def _with_origin(document: Document) -> dict[str, Any]:
    """Return the state with a note of where the copy comes from."""
    metadata = document.tail.state.get(TITLE_KEY)
    origin = {
        "appName": document.ref.app_name,
        "userId": document.ref.user_id,
        "sessionId": document.ref.session_id,
        "eventCount": document.tail.event_count,
    }
    noted = {**(metadata if isinstance(metadata, dict) else {}), "forkedFrom": origin}
    return {**document.tail.state, TITLE_KEY: noted}


def _changes_shared_state(document: Document) -> bool:
    lines = [line for line in document.events if b'"app:' in line or b'"user:' in line]
    return any(
        key.startswith((APP, USER))
        for event in each_event(replace(document, events=lines))
        for key in get_object(event_actions(event), "state_delta")
    )
