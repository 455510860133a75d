"""Read and write the sessions of any of ADK's own session services."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from google.adk.cli.service_registry import get_service_registry
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.sessions.session import Session
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.adk.sessions.state import State
from pydantic import ValidationError

from adksess.adk.registry import register_services
from adksess.store.document import json_bytes, parse_json
from adksess.store.errors import AdksessError
from adksess.store.keys import SessionRef
from adksess.store.models import StoredState
from adksess.transfer.migration import MigrationMismatch, Outcome
from adksess.transfer.source_session import SkippedSession, SourceSession

_EVENT_FIELDS = {
    name for label, info in Event.model_fields.items() for name in (label, info.alias) if name
}
_TIME_RESOLUTION = 0.001
"""Seconds: databases drop fractions of a millisecond."""

_SHARED = (State.APP_PREFIX, State.USER_PREFIX, State.TEMP_PREFIX)


class _Names(TypedDict):
    app_name: str
    user_id: str
    session_id: str


class ServiceError(AdksessError):
    """A session service of ADK cannot be opened or used."""


class NoApps(ServiceError):
    """A session service holds no sessions, or cannot list its apps."""


def encode_event(fields: Mapping[str, Any]) -> bytes:
    """Return an event of any tool as ADK writes it today, with the fields that ADK does not know.

    Raises ValueError, which names the invalid fields, never their content.
    """
    try:
        event = Event.model_validate(fields)
    except ValidationError as exc:
        at = ", ".join(sorted({".".join(map(str, error["loc"])) for error in exc.errors()}))
        raise ValueError(f"ADK does not accept an event: {at or 'wrong type'}") from None
    unknown = {k: v for k, v in fields.items() if k not in _EVENT_FIELDS and v is not None}
    return json_bytes(event.model_dump(mode="json", exclude_none=True) | unknown)


def open_service(uri: str) -> BaseSessionService:
    """Open the session service that ADK itself opens for a URI.

    Raises ServiceError, which never repeats the URI: it may hold a password.
    """
    register_services()
    scheme = urlsplit(uri).scheme
    try:
        service = get_service_registry().create_session_service(uri, agents_dir=".")
        if service is None:
            from google.adk.sessions.database_session_service import DatabaseSessionService

            service = DatabaseSessionService(db_url=uri)
    except ImportError as exc:
        raise _missing_packages(scheme) from exc
    except RuntimeError as exc:
        if scheme == "sqlite":
            raise ServiceError(
                "The database was written by an older ADK: use sqlite+aiosqlite:///…, which reads "
                "its tables."
            ) from exc
        raise ServiceError(f"ADK cannot open {scheme}:// ({type(exc).__name__}).") from exc
    except Exception as exc:  # a factory may raise anything, with the URI in its message
        if isinstance(exc.__cause__ or exc.__context__, ImportError):
            raise _missing_packages(scheme) from None
        raise ServiceError(
            f"ADK cannot open that {scheme}:// URI ({type(exc).__name__}): check it with "
            "adk web --session_service_uri=…"
        ) from None
    return service


def _missing_packages(scheme: str) -> ServiceError:
    return ServiceError(
        f"ADK needs further packages for {scheme}://: pip install 'sqlalchemy[asyncio]' and the "
        "database's async driver, named in the URI, such as postgresql+asyncpg://."
    )


def require_database(uri: str) -> None:
    """Raise ServiceError if a sqlite file is missing: ADK would create it."""
    if urlsplit(uri).scheme.partition("+")[0] == "sqlite":
        path = _sqlite_path(uri)
        if not path.is_file():
            raise ServiceError(
                f"There is no database file {path}: write sqlite:///relative/path or "
                "sqlite:////absolute/path."
            )


def _sqlite_path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path)[1:])


async def app_names(service: BaseSessionService, uri: str) -> list[str]:
    """Return the apps that have sessions in a service.

    ADK's interface has no such method, so this reads the tables of its database services. Raises
    NoApps where there are none, or the tables are not those of ADK 2.13.
    """
    query = "SELECT DISTINCT app_name FROM sessions ORDER BY app_name"
    if isinstance(service, SqliteSessionService):
        names = await asyncio.to_thread(_sqlite_names, _sqlite_path(uri), query)
    else:
        try:
            names = await _database_names(service, query)
        except Exception:  # another version, or a service without these tables
            names = []
    if not names:
        raise NoApps("That service holds no sessions, or cannot list its apps: add --app.")
    return names


async def _database_names(service: Any, query: str) -> list[str]:
    from sqlalchemy import text

    await service.prepare_tables()
    async with service.db_engine.connect() as connection:
        return [str(row[0]) for row in await connection.execute(text(query))]


def _sqlite_names(path: Path, query: str) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return [str(row[0]) for row in database.execute(query)]
    except sqlite3.Error as exc:
        raise ServiceError(f"{path} is not a database of ADK sessions.") from exc


async def sessions(
    service: BaseSessionService, apps: Sequence[str]
) -> AsyncIterator[list[SourceSession | SkippedSession]]:
    """Yield all sessions of some apps, their state merged with that of the app and user."""
    for app in apps:
        listing = await service.list_sessions(app_name=app)
        for listed in listing.sessions:
            name = f"{app}/{listed.user_id}/{listed.id}"
            try:
                session = await service.get_session(
                    app_name=app, user_id=listed.user_id, session_id=listed.id
                )
            except (ValidationError, ValueError) as exc:
                yield [SkippedSession(name, f"ADK cannot read it ({type(exc).__name__})")]
                continue
            if session is not None:
                yield [_source(name, session)]


def _source(name: str, session: Session) -> SourceSession:
    return SourceSession(
        name=name,
        ref=SessionRef(session.app_name, session.user_id, session.id),
        state=session.state,
        events=[event.model_dump(mode="json", exclude_none=True) for event in session.events],
        last_update_time=session.last_update_time,
    )


class ServiceReceiver:
    """Stores migrated sessions in a session service of ADK, by creating and appending."""

    def __init__(self, service: BaseSessionService) -> None:
        self._service = service

    async def receive(
        self, source: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Create the session, append its events, read it and compare.

        A partial copy of a new session is deleted again.
        """
        app_name, user_id, session_id = source.ref
        names: _Names = {"app_name": app_name, "user_id": user_id, "session_id": session_id}
        events = [Event.model_validate(parse_json(line)) for line in lines]
        session = await self._service.get_session(**names)
        is_new = session is None
        if session is None:
            if dry_run:
                return Outcome.COPIED
            session = await self._service.create_session(**names, state=source.own_state)
        copied = len(session.events)
        if not _same_events(session.events[: len(events)], events[:copied]):
            return Outcome.DIFFERS
        if copied >= len(events) and not is_new:
            return Outcome.EXISTS
        if dry_run:
            return Outcome.COPIED
        try:
            for event in events[copied:]:  # from where an interrupted migration stopped
                await self._service.append_event(session, event.model_copy(deep=True))
            back = await self._service.get_session(**names)
            if back is None or not _same_events(back.events, events):
                raise MigrationMismatch("its events are not the same after the copy")
            own = {k: v for k, v in back.state.items() if not k.startswith(_SHARED)}
            if own != source.own_state:
                raise MigrationMismatch("its state is not the same after the copy")
        except Exception as exc:
            if is_new:
                await self._service.delete_session(**names)
            if isinstance(exc, MigrationMismatch):
                raise
            # whatever a database raises; its text may hold stored content
            raise MigrationMismatch(f"the target rejects it ({type(exc).__name__})") from None
        return Outcome.COPIED

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Set the state of an app or a user through a session that is then deleted.

        ADK's interface has no other way, and state is kept when its session is deleted.
        """
        if dry_run:
            return len(state.state)
        scope = State.APP_PREFIX if state.user_id is None else State.USER_PREFIX
        wanted = {scope + key: value for key, value in state.state.items()}
        existing = await self._create_and_delete(state, {})
        new = {key: v for key, v in wanted.items() if key not in existing or existing[key] != v}
        if new:
            await self._create_and_delete(state, new)
        return len(new)

    async def _create_and_delete(
        self, owner: StoredState, values: dict[str, Any]
    ) -> dict[str, Any]:
        """Create a session with some state and delete it. Returns the state it had."""
        app_name, user_id = owner.app_name, owner.user_id or "adksess"
        session = await self._service.create_session(
            app_name=app_name, user_id=user_id, session_id=f"adksess-{uuid4()}", state=values
        )
        await self._service.delete_session(
            app_name=app_name, user_id=user_id, session_id=session.id
        )
        return session.state


def _same_events(stored: Sequence[Event], wanted: Sequence[Event]) -> bool:
    """Whether events are equal, apart from the fractions of a millisecond that databases drop."""
    if len(stored) != len(wanted):
        return False
    return all(
        abs(one.timestamp - other.timestamp) < _TIME_RESOLUTION
        and one.model_copy(update={"timestamp": other.timestamp}) == other
        for one, other in zip(stored, wanted, strict=True)
    )
