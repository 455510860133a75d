"""The session services that are compared, and the sessions that they store."""

import json
import sys
import time
from collections.abc import Callable
from itertools import count

from google.adk.events import Event, EventActions
from google.adk.sessions import BaseSessionService, InMemorySessionService, Session
from google.genai import types
from redis.asyncio import Redis

from adksess import RedisSessionService
from tests.bench.lab import PEERS, Lab, NotMeasured

APP, USER = "demo", "user"
OWN, ADK = "adksess", "ADK's Redis service"
TEXT = "The session keeps what was said, in the order in which it was said. " * 7
_TURNS = count(1)


def new_event() -> Event:
    """Create the next event of a chat: 0.9 kB, with a state delta."""
    turn = next(_TURNS)
    return Event(
        author="agent",
        invocation_id=f"e-5f0c2b1a-7d6e-4f55-9c4b-{turn:012}",
        content=types.Content(role="model", parts=[types.Part(text=TEXT)]),
        actions=EventActions(state_delta={"turns": turn, "topic": "sessions"}),
    )


def next_event(event: Event) -> Event:
    """Create another event with the same content, in a few microseconds."""
    now = time.time()
    return event.model_copy(update={"id": f"{now:.6f}", "timestamp": now})


def event_bytes(event: Event) -> bytes:
    """Return an event as it is stored: the shortest JSON that ADK can read."""
    return event.model_dump_json(exclude_none=True).encode()


def _own(lab: Lab, url: str) -> BaseSessionService:
    return RedisSessionService(url)


def _adk(lab: Lab, url: str) -> BaseSessionService:
    from google.adk.integrations.redis import RedisSessionService as Service
    from google.adk.integrations.redis import RedisSessionServiceConfig

    return Service(RedisSessionServiceConfig(uri=url))


def _community(lab: Lab, url: str) -> BaseSessionService:
    from google.adk_community.sessions import RedisSessionService as Service

    return Service(uri=url)


def _google_adk_redis(lab: Lab, url: str) -> BaseSessionService:
    from google_adk_redis import RedisMemorySessionService as Service

    return Service(uri=url)


def _adk_session_services(lab: Lab, url: str) -> BaseSessionService:
    from adk_session_services import RedisSessionService as Service

    return Service(url)


def _sqlite(lab: Lab, url: str) -> BaseSessionService:
    from google.adk.sessions.sqlite_session_service import SqliteSessionService

    return SqliteSessionService(str(lab.folder / "sessions.db"))


def _memory(lab: Lab, url: str) -> BaseSessionService:
    return InMemorySessionService()


SERVICES: dict[str, Callable[[Lab, str], BaseSessionService]] = {
    OWN: _own,
    ADK: _adk,
    "google-adk-community": _community,
    "google-adk-redis": _google_adk_redis,
    "adk-session-services": _adk_session_services,
    "ADK's sqlite": _sqlite,
    "ADK's in-memory": _memory,
}
REDIS_PEERS = ("google-adk-community", "google-adk-redis", "adk-session-services")


def open_service(name: str, lab: Lab, url: str | None = None) -> BaseSessionService:
    """Open a service on `url` or an empty database. Raises NotMeasured if not installed."""
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
    try:
        return SERVICES[name](lab, url or lab.database())
    except ImportError as exc:
        raise NotMeasured("not installed") from exc


async def session_of(service: BaseSessionService, length: int) -> Session:
    """Create a session with `length` events, and return it as a Runner would."""
    session = await service.create_session(app_name=APP, user_id=USER)
    if client := _whole_document_client(service):
        # They rewrite the history at every append: a long one would take hours.
        await service.append_event(session, new_event())
        await _multiply_events(client, session.id, length)
    else:
        for _ in range(length):
            await service.append_event(session, new_event())
    found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
    assert found
    assert len(found.events) == length
    return found


def _whole_document_client(service: BaseSessionService) -> Redis | None:
    if hasattr(service, "_get_redis"):
        return service._get_redis()  # ADK's own
    return getattr(service, "cache", None)  # community, google-adk-redis


async def _multiply_events(client: Redis, session_id: str, length: int) -> None:
    """Repeat the only event of a stored document, with different ids and times."""
    (key,) = [key async for key in client.scan_iter(match=f"*{session_id}*")]
    document = json.loads(await client.get(key))
    (event,) = document["events"]
    start = event["timestamp"] - length
    document["events"] = [
        {**event, "id": f"{event['id'][:-8]}{n:08}", "timestamp": start + n} for n in range(length)
    ]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    await client.set(key, text, keepttl=True)
