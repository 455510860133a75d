"""Sessions in and out of any of ADK's own session services."""

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

_KNOWN = {
    name for label, info in Event.model_fields.items() for name in (label, info.alias) if name
}
_CLOCK_STEP = 0.001
_SHARED = (State.APP_PREFIX, State.USER_PREFIX, State.TEMP_PREFIX)


class _Names(TypedDict):
    app_name: str
    user_id: str
    session_id: str


class ServiceProblem(AdksessError):
    """A session service of ADK that cannot be opened or used."""


def encode_event(fields: Mapping[str, Any]) -> bytes:
    """An event of any tool as ADK writes it today; what ADK does not know is kept beside it.

    Raises ValueError, which names the fields at fault and never their content.
    """
    try:
        event = Event.model_validate(fields)
    except ValidationError as exc:
        at = ", ".join(sorted({".".join(map(str, error["loc"])) for error in exc.errors()}))
        raise ValueError(f"ADK does not accept an event of it: {at or 'wrong type'}") from None
    unknown = {k: v for k, v in fields.items() if k not in _KNOWN and v is not None}
    return json_bytes(event.model_dump(mode="json", exclude_none=True) | unknown)


def open_service(uri: str) -> BaseSessionService:
    """The session service that ADK itself would open for a URI. Raises ServiceProblem.

    No message repeats the URI: it may hold a password.
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
            raise ServiceProblem(
                "The database has the layout of an older ADK: name it as "
                "sqlite+aiosqlite:///…, which reads that."
            ) from exc
        raise ServiceProblem(f"ADK cannot open {scheme}:// ({type(exc).__name__}).") from exc
    except Exception as exc:  # a factory may raise anything, and repeat the URI in it
        if isinstance(exc.__cause__ or exc.__context__, ImportError):
            raise _missing_packages(scheme) from None
        raise ServiceProblem(
            f"ADK cannot open that {scheme}:// URI ({type(exc).__name__}): check it with "
            "adk web --session_service_uri=…"
        ) from None
    return service


def _missing_packages(scheme: str) -> ServiceProblem:
    return ServiceProblem(
        f"ADK needs further packages for {scheme}://: pip install 'sqlalchemy[asyncio]' and the "
        "database's async driver, named in the URI, such as postgresql+asyncpg://."
    )


def require_database(uri: str) -> None:
    """Refuse a sqlite file that is not there, of which ADK would make an empty one."""
    parts = urlsplit(uri)
    if parts.scheme.partition("+")[0] == "sqlite":
        path = Path(unquote(parts.path)[1:])
        if not path.is_file():
            raise ServiceProblem(
                f"There is no database file {path}: write sqlite:///relative/path or "
                "sqlite:////absolute/path."
            )


async def app_names(service: BaseSessionService) -> list[str]:
    """The apps that have sessions there; empty where the service cannot tell."""
    query = "SELECT DISTINCT app_name FROM sessions ORDER BY app_name"
    if isinstance(service, SqliteSessionService):
        return await asyncio.to_thread(_sqlite_names, Path(service._db_path), query)
    engine = getattr(service, "db_engine", None)
    if engine is None:
        return []
    from sqlalchemy import text

    await service.prepare_tables()  # type: ignore[attr-defined]
    async with engine.connect() as connection:
        return [str(row[0]) for row in await connection.execute(text(query))]


def _sqlite_names(path: Path, query: str) -> list[str]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return [str(row[0]) for row in database.execute(query)]
    except sqlite3.Error as exc:
        raise ServiceProblem(f"{path} is not a database of ADK sessions.") from exc


async def sessions(
    service: BaseSessionService, apps: Sequence[str]
) -> AsyncIterator[list[SourceSession | SkippedSession]]:
    """All sessions of some apps, with the state they share in their own."""
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
                yield [_found(name, session)]


def _found(name: str, session: Session) -> SourceSession:
    return SourceSession(
        name=name,
        ref=SessionRef(session.app_name, session.user_id, session.id),
        state=session.state,
        events=[event.model_dump(mode="json", exclude_none=True) for event in session.events],
        last_update_time=session.last_update_time,
    )


class ServiceReceiver:
    """Takes sessions into a session service of ADK, by creating and appending."""

    def __init__(self, service: BaseSessionService) -> None:
        self._service = service

    async def receive(
        self, found: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Create the session, append its events, read it and compare. Leaves no half of one."""
        app_name, user_id, session_id = found.ref
        names: _Names = {"app_name": app_name, "user_id": user_id, "session_id": session_id}
        events = [Event.model_validate(parse_json(line)) for line in lines]
        session = await self._service.get_session(**names)
        is_new = session is None
        if session is None:
            if dry_run:
                return Outcome.COPIED
            session = await self._service.create_session(**names, state=found.own_state)
        done = len(session.events)
        if not _same_events(session.events[: len(events)], events[:done]):
            return Outcome.DIFFERS
        if done >= len(events) and not is_new:
            return Outcome.THERE
        if dry_run:
            return Outcome.COPIED
        try:
            for event in events[done:]:  # from where an interrupted migration stopped
                await self._service.append_event(session, event.model_copy(deep=True))
            back = await self._service.get_session(**names)
            if back is None or not _same_events(back.events, events):
                raise MigrationMismatch("its events are not the same after the copy")
            own = {k: v for k, v in back.state.items() if not k.startswith(_SHARED)}
            if own != found.own_state:
                raise MigrationMismatch("its state is not the same after the copy")
        except Exception as exc:
            if is_new:
                await self._service.delete_session(**names)
            if isinstance(exc, MigrationMismatch):
                raise
            # whatever a database raises; its text may hold stored content
            raise MigrationMismatch(f"the target refuses it ({type(exc).__name__})") from None
        return Outcome.COPIED

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Set an app's or a user's state through a session that is deleted again.

        There is no other way to it in ADK's interface, and state outlives its session.
        """
        if dry_run:
            return len(state.state)
        scope = State.APP_PREFIX if state.user_id is None else State.USER_PREFIX
        wanted = {scope + key: value for key, value in state.state.items()}
        there = await self._pass_through(state, {})
        new = {key: v for key, v in wanted.items() if key not in there or there[key] != v}
        if new:
            await self._pass_through(state, new)
        return len(new)

    async def _pass_through(self, owner: StoredState, values: dict[str, Any]) -> dict[str, Any]:
        """Create a session with some state and delete it. Returns the state it saw."""
        app_name, user_id = owner.app_name, owner.user_id or "adksess"
        session = await self._service.create_session(
            app_name=app_name, user_id=user_id, session_id=f"adksess-{uuid4()}", state=values
        )
        await self._service.delete_session(
            app_name=app_name, user_id=user_id, session_id=session.id
        )
        return session.state


def _same_events(stored: Sequence[Event], wanted: Sequence[Event]) -> bool:
    """Whether events are equal, but for the fraction of a millisecond that databases drop."""
    if len(stored) != len(wanted):
        return False
    return all(
        abs(one.timestamp - other.timestamp) < _CLOCK_STEP
        and one.model_copy(update={"timestamp": other.timestamp}) == other
        for one, other in zip(stored, wanted, strict=True)
    )
