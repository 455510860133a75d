"""One session created, appended to, read and deleted, through the service that ADK uses."""

from google.adk.events.event import Event
from google.genai import types

from adksess.adk.service import RedisSessionService
from adksess.store.errors import AdksessError
from adksess.store.store import SessionStore

_APP, _USER = "adksess-doctor", "probe"
_TTL = 60


class ProbeFailed(AdksessError):
    """What was written is not what was read."""


async def probe(store: SessionStore) -> None:
    """Raise what stands in the way of a session, or ProbeFailed. Leaves nothing behind.

    Should the process die in the midst of it, the session expires within a minute.
    """
    service = RedisSessionService(store=store)
    session = await service.create_session(app_name=_APP, user_id=_USER, ttl=_TTL)
    try:
        part = types.Part(text="Is anybody there?")
        content = types.Content(role="user", parts=[part])
        await service.append_event(session, Event(author="user", content=content))
        again = await service.get_session(app_name=_APP, user_id=_USER, session_id=session.id)
        if again != session:
            raise ProbeFailed("A session was read back other than it was written.")
    finally:
        await service.delete_session(app_name=_APP, user_id=_USER, session_id=session.id)
