"""Connections cut before, within and after an answer: nothing is lost or stored twice."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import chain
from urllib.parse import urlsplit

import pytest
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.sessions.session import Session

from adksess import RedisSessionService, SessionStore
from adksess.store.errors import ServerUnavailable
from tests.events import event, texts
from tests.faults.proxy import AFTER, BEFORE, DELAY, STALL, WITHIN, Proxy, proxy

APP, USER = "demo", "ada"
WRITERS, EACH = 20, 50
CUTS = [BEFORE, WITHIN, AFTER]


@asynccontextmanager
async def service_behind(
    shared_url: str, choose: Callable[[], str | None], query: str = "", retries: int = 4
) -> AsyncIterator[tuple[RedisSessionService, Proxy]]:
    port = urlsplit(shared_url).port
    assert port
    async with proxy(port, choose) as between:
        prefix = f"t{uuid.uuid4().hex}:"
        store = SessionStore(f"{between.url}{query}", prefix=prefix, retries=retries)
        async with RedisSessionService(store=store) as service:
            yield service, between


class Switch:
    """No fault until some are set."""

    def __init__(self) -> None:
        self.faults: list[str | None] = []

    def __call__(self) -> str | None:
        return self.faults.pop(0) if self.faults else None


async def whole(service: RedisSessionService, session: Session) -> Session:
    found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
    assert found is not None
    return found


@pytest.mark.parametrize("cut", CUTS)
async def test_one_lost_connection_is_retried(shared_url: str, cut: str) -> None:
    network = Switch()
    async with service_behind(shared_url, network) as (service, between):
        session = await service.create_session(app_name=APP, user_id=USER)
        for number in range(5):
            network.faults = [cut]
            await service.append_event(session, event(f"{number}", state={"n": number}))
        network.faults = [cut]
        found = await whole(service, session)
        assert between.faults == 6
        assert texts(found) == ["0", "1", "2", "3", "4"]
        assert found == session


@pytest.mark.parametrize("cut", CUTS)
async def test_a_retried_create_is_not_a_conflict(shared_url: str, cut: str) -> None:
    network = Switch()
    async with service_behind(shared_url, network) as (service, _):
        await service.get_user_state(app_name=APP, user_id=USER)
        network.faults = [cut]
        session = await service.create_session(
            app_name=APP, user_id=USER, session_id="s1", state={"a": 1, "app:b": 2}
        )
        assert await whole(service, session) == session
        network.faults = [cut]
        with pytest.raises(AlreadyExistsError):
            await service.create_session(app_name=APP, user_id=USER, session_id="s1")


async def test_a_failed_write_can_be_repeated(shared_url: str) -> None:
    """An unknown outcome is an error and does not change the session object; a retry settles it."""
    network = Switch()
    async with service_behind(shared_url, network) as (service, _):
        session = await service.create_session(app_name=APP, user_id=USER)
        given = event("once", state={"a": 1, "temp:b": 2})
        network.faults = [AFTER] * 100
        with pytest.raises(ServerUnavailable):
            await service.append_event(session, given)
        assert session.events == []
        assert session.state == {}
        assert given.actions.state_delta == {"a": 1, "temp:b": 2}
        network.faults = []
        for filler in range(20):  # another writer, and much more than an append looks back
            other = await whole(service, session)
            await service.append_event(other, event(f"{filler}" + "x" * 10_000))
        await service.append_event(session, given)
        await service.append_event(session, given)
        assert texts(session) == ["once"]
        assert session.state == {"a": 1, "temp:b": 2}
        found = await whole(service, session)
        assert Counter(texts(found))["once"] == 1
        assert len(found.events) == 21


async def test_a_retried_append_is_not_a_conflict(shared_url: str) -> None:
    network = Switch()
    query = "?conflict=reject"
    async with service_behind(shared_url, network, query) as (service, _):
        session = await service.create_session(app_name=APP, user_id=USER)
        stale = await whole(service, session)
        for number in range(5):
            network.faults = [AFTER]
            await service.append_event(session, event(f"{number}"))
        assert await whole(service, session) == session
        network.faults = [AFTER]
        with pytest.raises(StaleSessionError):
            await service.append_event(stale, event("late"))


async def test_a_server_that_does_not_answer_is_an_error(shared_url: str) -> None:
    network = Switch()
    async with service_behind(shared_url, network, "?socket_timeout=1") as (service, between):
        session = await service.create_session(app_name=APP, user_id=USER)
        network.faults = [STALL] * 100
        with pytest.raises(ServerUnavailable, match="did not answer in time"):
            await service.append_event(session, event("stalled"))
        assert between.faults < 10
        assert session.events == []
        network.faults = []
        await service.append_event(session, event("again"))
        assert texts(session) == ["again"]


async def test_no_server_at_the_address() -> None:
    service = RedisSessionService("redis://ada:s3cr3t@127.0.0.1:1/0")
    with pytest.raises(ServerUnavailable, match=r"refused.*correct the address") as error:
        await service.list_sessions(app_name=APP, user_id=USER)
    assert "s3cr3t" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("writers_per_session", [1, 4], ids=["alone", "several"])
async def test_a_thousand_appends_under_random_cuts(
    shared_url: str, writers_per_session: int
) -> None:
    chance = random.Random(7)

    def choose() -> str | None:
        if chance.random() > 0.15:
            return None
        return chance.choice([*CUTS, *CUTS, *CUTS, AFTER, DELAY])

    acknowledged: set[str] = set()
    gave_up: list[str] = []
    async with service_behind(shared_url, lambda: None, retries=1) as (service, between):

        async def write(writer: int, session: Session) -> None:
            for number in range(EACH):
                given = event(f"{writer}/{number}", state={f"w{writer}": number, f"{writer}": {}})
                while True:
                    try:
                        await service.append_event(session, given)
                    except ServerUnavailable:
                        gave_up.append(given.id)
                        if number % 2:
                            break  # an application that does not try again
                    else:
                        acknowledged.add(f"{writer}/{number}")
                        break

        sessions = [
            await service.create_session(app_name=APP, user_id=USER, session_id=f"s{n}")
            for n in range(WRITERS // writers_per_session)
        ]
        callers = {n: await whole(service, sessions[n % len(sessions)]) for n in range(WRITERS)}
        between.choose = choose
        await asyncio.gather(*(write(*copy) for copy in callers.items()))
        between.choose = lambda: None
        stored = {session.id: await whole(service, session) for session in sessions}

    assert gave_up, "no call ended without an answer: the test proves nothing"
    found = Counter(chain.from_iterable(texts(session) for session in stored.values()))
    assert set(found.values()) == {1}
    assert acknowledged <= set(found)
    assert len(found) <= WRITERS * EACH
    for writer, copy in callers.items():
        session = stored[copy.id]
        mine = [text for text in texts(session) if text.startswith(f"{writer}/")]
        numbers = [int(text.split("/")[1]) for text in mine]
        assert numbers == sorted(numbers)
        assert session.state[f"w{writer}"] == numbers[-1]
        if writers_per_session == 1:
            held = set(texts(copy))
            assert acknowledged & set(mine) <= held <= set(mine)
            if held == set(mine):
                assert copy == session
