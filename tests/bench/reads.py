"""Reads: whole sessions, their ends, and the list of one user among many."""

from collections.abc import Awaitable, Callable

from google.adk.events import Event
from google.adk.sessions import BaseSessionService
from google.adk.sessions.base_session_service import GetSessionConfig

from tests.bench.filling import multiply
from tests.bench.lab import Lab, client
from tests.bench.services import ADK, APP, OWN, USER, event_bytes, open_service, session_of
from tests.bench.table import Pair, faster, race, row, within

LONG = 2_000


@row(
    "get-whole",
    f"get_session, {LONG:,} events",
    against="pydantic validating them alone",
    target=within(1.1),
)
async def get_whole(lab: Lab) -> Pair:
    service = open_service(OWN, lab)
    session = await session_of(service, LONG)
    lines = [event_bytes(event) for event in session.events]

    async def validate() -> None:
        kept = [Event.model_validate_json(line) for line in lines]
        assert len(kept) == LONG

    return Pair(*await race(validate, getting(service, session.id), rounds=lab.pick(15, 5)))


@row(
    "get-last-10",
    f"get_session, last 10 of {LONG:,} events",
    against=f"all {LONG:,}",
    target=faster(30),
)
async def get_last_10(lab: Lab) -> Pair:
    service = open_service(OWN, lab)
    session = await session_of(service, LONG)
    last_10 = getting(service, session.id, GetSessionConfig(num_recent_events=10))
    return Pair(*await race(getting(service, session.id), last_10, rounds=lab.pick(15, 5)))


@row(
    "get-exists",
    "existence check of a 10 MB session",
    against="GETRANGE of its tail",
    target=within(3),
)
async def get_existence(lab: Lab) -> Pair:
    url = lab.database()
    service = open_service(OWN, lab, url)
    session = await session_of(service, lab.pick(11_000, 1_100))
    redis = client(url)
    key = f"session:{APP}:{USER}:{session.id}"
    tail_bytes = int((await redis.getrange(key, -12, -2)).decode())

    async def read_tail() -> None:
        await redis.getrange(key, -tail_bytes, -1)

    exists = getting(service, session.id, GetSessionConfig(num_recent_events=0))
    return Pair(*await race(read_tail, exists, rounds=lab.pick(25, 9)))


@row(
    "list-20k",
    "list one user's 10 sessions of 20,000",
    against=ADK,
    target=faster(200),
)
async def list_among_20k(lab: Lab) -> Pair:
    calls = []
    for name in (ADK, OWN):
        url = lab.database()
        service = open_service(name, lab, url)
        await multiply(service, url, lab.pick(20_000, 5_000))
        calls.append(listing(service))
    return Pair(*await race(*calls, rounds=lab.pick(9, 3)))


@row(
    "list-1m",
    "list one user's 10 sessions of 1,000,000",
    against="of 1,000",
    target=within(1.2),
)
async def list_among_a_million(lab: Lab) -> Pair:
    calls = []
    for count in (1_000, lab.pick(1_000_000, 50_000)):
        url = lab.database()
        service = open_service(OWN, lab, url)
        await multiply(service, url, count)
        calls.append(listing(service))
    return Pair(*await race(*calls, rounds=lab.pick(25, 9)))


def getting(
    service: BaseSessionService, session_id: str, config: GetSessionConfig | None = None
) -> Callable[[], Awaitable[object]]:
    """Return a call that reads a session."""
    return lambda: service.get_session(
        app_name=APP, user_id=USER, session_id=session_id, config=config
    )


def listing(service: BaseSessionService) -> Callable[[], Awaitable[object]]:
    """Return a call that lists the sessions of one of the users that multiply() stores."""

    async def list_sessions() -> None:
        answer = await service.list_sessions(app_name=APP, user_id="u00000042")
        assert len(answer.sessions) == 10

    return list_sessions
