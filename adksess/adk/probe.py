"""A test session: created, appended to, read and deleted through the service that ADK uses."""

from google.adk.events.event import Event
from google.genai import types

from adksess.adk.service import RedisSessionService
from adksess.store.errors import AdksessError
from adksess.store.store import SessionStore

_APP, _USER = "adksess-doctor", "probe"
_TTL_SECONDS = 60


class ProbeFailed(AdksessError):
    """The session that was read differs from the session that was written."""


async def probe(store: SessionStore) -> None:
    """Write, read and delete a test session. Raises the error that prevents it, or ProbeFailed.

    If the process is killed meanwhile, the session expires within a minute.
    """
    service = RedisSessionService(store=store)
    session = await service.create_session(app_name=_APP, user_id=_USER, ttl=_TTL_SECONDS)
    try:
        content = types.Content(role="user", parts=[types.Part(text="Test by adksess doctor.")])
        await service.append_event(session, Event(author="user", content=content))
        stored = await service.get_session(app_name=_APP, user_id=_USER, session_id=session.id)
        if stored != session:
            raise ProbeFailed("The session that was read differs from the one that was written.")
    finally:
        await service.delete_session(app_name=_APP, user_id=_USER, session_id=session.id)
