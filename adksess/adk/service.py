"""RedisSessionService: ADK's session contract on top of the store."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Mapping
from typing import Any

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.platform import time as platform_time
from google.adk.platform import uuid as platform_uuid
from google.adk.sessions.base_session_service import (
    BaseSessionService,
    GetSessionConfig,
    ListSessionsResponse,
)
from google.adk.sessions.session import Session
from pydantic_core import to_jsonable_python

from adksess.adk.event_json import read_session, without_temp_state, write_event
from adksess.conversation.titles import title_of
from adksess.store.cancellation import complete
from adksess.store.closing import Closing
from adksess.store.errors import (
    ServerUnavailable,
    SessionConflict,
    SessionExists,
    SessionNotFound,
)
from adksess.store.filters import SessionFilter
from adksess.store.keys import SessionRef
from adksess.store.models import StoredSession
from adksess.store.settings import DEFAULT_URL, Settings
from adksess.store.state import StateDelta, merge_scopes, split_scopes
from adksess.store.store import SessionStore

_UNCONFIRMED_KEPT = 1_000

_logger = logging.getLogger(__name__)


class RedisSessionService(Closing, BaseSessionService):
    """ADK sessions in Redis, with the behavior of InMemorySessionService.

    One instance serves any number of tasks, threads and event loops. Every method may raise
    ServerUnavailable; there is no fallback to memory.
    """

    def __init__(
        self,
        uri: str = DEFAULT_URL,
        *,
        ttl: int | None = None,
        prefix: str | None = None,
        agents_dir: str | None = None,
        store: SessionStore | None = None,
        **options: Any,
    ) -> None:
        """Use a Redis URI; connects at the first call.

        `ttl` is the time from a session's last event to its expiry, in seconds (default 86,400; 0
        for no expiry, at most ten years), `prefix` the beginning of every key. Both can be in the
        URI (`?ttl=7d&prefix=prod:`); a keyword overrides it. `options` are passed to redis-py.
        `agents_dir`, which ADK passes to every service, is ignored. A `store` replaces all this.

        Raises InvalidURL or InvalidDuration, which are ValueErrors.
        """
        settings = Settings.parse(uri, ttl=ttl, prefix=prefix)
        if options:
            settings = settings.with_options(**options)
        self.store = store or SessionStore(settings)
        self._rejects_conflicts = self.store.settings.conflict == "reject"
        self._unconfirmed: deque[str] = deque(maxlen=_UNCONFIRMED_KEPT)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.store.settings.redacted!r})"

    async def create_session(
        self,
        *,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None = None,
        session_id: str | None = None,
        ttl: int | None = None,
    ) -> Session:
        """Create a session; a blank id is replaced by a new one.

        `ttl` is this session's own, in seconds, kept at every append; 0 for no expiry, None for the
        service's. ADK's REST API passes it on: `{"options": {"ttl": 3600}}`. Raises
        AlreadyExistsError for an existing id and ValueError for a TTL that is not a whole number
        from 0 to ten years; then nothing is written.
        """
        ref = SessionRef(app_name, user_id, _clean(session_id) or platform_uuid.new_uuid())
        delta, now = _state_delta(state or {}), platform_time.get_time()
        try:
            document = await complete(lambda: self.store.create(ref, delta, ttl=ttl, now=now))
        except SessionExists as exc:
            raise AlreadyExistsError(f"Session with id {ref.session_id} already exists.") from exc
        _logger.debug("created %s", ref.path)
        shared = await self.store.shared_state(app_name, user_id)
        return self._session(StoredSession(document, *shared))

    async def get_session(
        self,
        *,
        app_name: str,
        user_id: str,
        session_id: str,
        config: GetSessionConfig | None = None,
    ) -> Session | None:
        """Return a session with its events, or those that `config` selects; None if it is missing.

        Raises SessionUnreadable if the document, or an event in it, cannot be read.
        """
        stored = await self.store.read(
            SessionRef(app_name, user_id, _clean(session_id)),
            last=config.num_recent_events if config else None,
            since=config.after_timestamp if config else None,
        )
        return self._session(stored) if stored else None

    async def list_sessions(
        self, *, app_name: str, user_id: str | None = None
    ) -> ListSessionsResponse:
        """Return the sessions of a user, or of all users for None: without events, oldest first.

        A session whose document cannot be read is left out; `adksess doctor` names it.
        """
        if user_id is None:
            only = SessionFilter(apps=(app_name,))
            plan = await self.store.plan(only)
            found = [s async for batch in self.store.query(plan, only) for s in batch]
        else:
            found = await self.store.user_summaries(app_name, user_id)
        users = {summary.ref.user_id for summary in found}
        app_state, user_states = await self.store.states(app_name, users)
        sessions = [
            Session(
                app_name=app_name,
                user_id=summary.ref.user_id,
                id=summary.ref.session_id,
                state=merge_scopes(summary.tail.state, app_state, user_states[summary.ref.user_id]),
                last_update_time=summary.tail.last_update_time,
            )
            for summary in found
            if summary.tail
        ]
        sessions.sort(key=lambda s: (s.last_update_time, s.user_id, s.id))
        return ListSessionsResponse(sessions=sessions)

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Delete a session, if it exists. App and user state are kept."""
        ref = SessionRef(app_name, user_id, _clean(session_id))
        await complete(lambda: self.store.delete([ref]))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        """Return a user's state across sessions, keys without `user:`."""
        _, user_state = await self.store.shared_state(app_name, user_id)
        return user_state

    async def append_event(self, session: Session, event: Event) -> Event:
        """Store an event and its state delta, then apply both to `session`.

        A duplicate of a stored event is not stored. A failed write leaves `session` and
        `event` as they were. When the calling task is cancelled, CancelledError is raised after the
        event was stored and applied. Raises SessionNotFoundError, SessionTooLarge, and
        StaleSessionError with `conflict=reject`.
        """
        if event.partial:
            return event
        return await complete(lambda: self._append(session, event))

    async def _append(self, session: Session, event: Event) -> Event:
        if not math.isfinite(event.timestamp):
            raise ValueError("An event's timestamp must be a finite number: JSON has no other.")
        ref = SessionRef(session.app_name, session.user_id, _clean(session.id))
        was_unconfirmed = event.id in self._unconfirmed
        is_late = event.timestamp <= session.last_update_time
        try:
            appended = await self.store.append(
                ref,
                write_event(without_temp_state(event)),
                _state_delta(event.actions.state_delta),
                timestamp=event.timestamp,
                title=_title(event),
                expected_count=self._expected_count(session),
                is_known=is_late and _holds(session, event),
                is_unconfirmed=was_unconfirmed,
            )
        except (ServerUnavailable, asyncio.CancelledError):
            self._unconfirmed.append(event.id)
            raise
        except SessionNotFound as exc:
            raise SessionNotFoundError(f"Session {session.id} not found.") from exc
        except SessionConflict as exc:
            raise StaleSessionError(str(exc)) from exc
        # A duplicate does not change the caller's session, as in memory; a retry after a lost reply
        # does.
        in_doubt = was_unconfirmed or appended.was_retried
        if appended.is_duplicate and (not in_doubt or _holds(session, event)):
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        self._commit_event_to_session(session, event)
        session.last_update_time = event.timestamp
        self._mark(session, appended.event_count)
        return event

    async def aclose(self) -> None:
        """Close the running event loop's connections. A later call opens new ones."""
        await self.store.aclose()

    def _session(self, stored: StoredSession) -> Session:
        session = read_session(stored)
        self._mark(session, stored.document.tail.event_count)
        return session

    def _mark(self, session: Session, event_count: int) -> None:
        """Store what `conflict=reject` compares, in the attribute that ADK's own services use."""
        if self._rejects_conflicts:
            session._storage_update_marker = str(event_count)

    def _expected_count(self, session: Session) -> int | None:
        if not self._rejects_conflicts or session._storage_update_marker is None:
            return None
        return int(session._storage_update_marker)


def _clean(session_id: str | None) -> str:
    return session_id.strip() if session_id else ""


def _state_delta(state: dict[str, Any]) -> StateDelta:
    """Split a state by scope, with values that JSON can hold, and without `temp:`.

    Values become what ADK's own services make of them (`sessions/_session_util.py`, 2.13).
    """
    return StateDelta(*map(_json_safe, split_scopes(state)))


def _json_safe(values: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        safe: dict[str, Any] = to_jsonable_python(values)
    except UnicodeEncodeError:  # a lone surrogate, which the store writes as an escape
        return values
    except Exception:  # an object that JSON has no form for, such as a function
        _logger.warning("State has values that JSON cannot hold: their repr is stored.")
        safe = to_jsonable_python(values, serialize_unknown=True)
    return safe


def _title(event: Event) -> str:
    """What the user says in an event, typed or spoken, as a title; empty for any other event."""
    if event.author != "user":
        return ""
    parts = (event.content.parts if event.content else None) or ()
    texts = [part.text for part in parts if part.text and not part.thought]
    if event.input_transcription and event.input_transcription.text:
        texts.append(event.input_transcription.text)
    return title_of(" ".join(texts))


def _holds(session: Session, event: Event) -> bool:
    return any(other.id == event.id and other == event for other in session.events)
