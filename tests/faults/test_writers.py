"""Many writers at once: every event is stored once and in order, no state key is lost."""

import asyncio
import multiprocessing
import uuid
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest
import redis
from google.adk.sessions.session import Session

from adksess import RedisSessionService
from adksess.store.client import MAX_CONNECTIONS
from tests.events import event, texts

APP = "demo"
PROCESSES, WRITERS, EACH, SESSIONS = 4, 4, 250, 3


async def write(service: RedisSessionService, writer: str) -> None:
    """One writer's events, in turn to each session, with a delta in every scope."""
    hands: list[Session] = []
    for number in range(SESSIONS):
        name = {"app_name": APP, "user_id": f"u{number}", "session_id": "s"}
        found = await service.get_session(**name)
        assert found is not None
        hands.append(found)
    for number in range(EACH):
        state = {
            f"last {writer}": number,
            f"{writer} {number % 50}": number,
            f"app:{writer} {number % 50}": [number],
            f"user:{writer} {number % 50}": {"n": number},
        }
        await service.append_event(
            hands[number % SESSIONS], event(f"{writer} {number}", state=state)
        )


def run_writers(url: str, prefix: str, process: int) -> None:
    async def run() -> None:
        service = RedisSessionService(url, prefix=prefix)
        await asyncio.gather(*(write(service, f"{process}.{n}") for n in range(WRITERS)))

    asyncio.run(run())


@pytest.mark.slow
async def test_sixteen_writers_in_four_processes(valkey_url: str) -> None:
    prefix = f"t{uuid.uuid4().hex}:"
    service = RedisSessionService(valkey_url, prefix=prefix)
    for number in range(SESSIONS):
        await service.create_session(app_name=APP, user_id=f"u{number}", session_id="s")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        loop = asyncio.get_running_loop()
        calls = (
            loop.run_in_executor(pool, run_writers, valkey_url, prefix, process)
            for process in range(PROCESSES)
        )
        await asyncio.gather(*calls)

    writers = [f"{process}.{n}" for process in range(PROCESSES) for n in range(WRITERS)]
    everything: Counter[str] = Counter()
    for number in range(SESSIONS):
        name = {"app_name": APP, "user_id": f"u{number}", "session_id": "s"}
        session = await service.get_session(**name)
        assert session is not None
        everything.update(texts(session))
        expected: dict[str, object] = {}
        for writer in writers:
            mine = [int(t.split()[1]) for t in texts(session) if t.split()[0] == writer]
            assert mine == list(range(number, EACH, SESSIONS))
            expected[f"last {writer}"] = mine[-1]
            expected |= {f"{writer} {n % 50}": n for n in mine}
            expected |= {f"user:{writer} {n % 50}": {"n": n} for n in mine}
            expected |= {f"app:{writer} {n % 50}": [n] for n in range(EACH)}
        assert session.state == expected
    assert everything == Counter(f"{writer} {n}" for writer in writers for n in range(EACH))


async def test_a_thousand_calls_at_once_wait_for_a_connection(valkey_url: str) -> None:
    async with RedisSessionService(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as service:
        session = await service.create_session(app_name=APP, user_id="ada", session_id="s")
        with redis.Redis.from_url(valkey_url) as client:
            before = len(client.client_list())
            events = [event(f"{n}", state={f"k{n}": n}) for n in range(500)]
            await asyncio.gather(
                *(service.append_event(session, one) for one in events),
                *(
                    service.create_session(app_name=APP, user_id="bob", session_id=f"s{n}")
                    for n in range(250)
                ),
                *(
                    service.get_session(app_name=APP, user_id="ada", session_id="s")
                    for n in range(125)
                ),
                *(service.list_sessions(app_name=APP, user_id="bob") for n in range(125)),
            )
            assert len(client.client_list()) - before <= MAX_CONNECTIONS
        found = await service.get_session(app_name=APP, user_id="ada", session_id="s")
        assert found is not None
        assert Counter(texts(found)) == Counter(str(n) for n in range(500))
        assert found.state == {f"k{n}": n for n in range(500)}
        assert found.state == session.state
        listed = await service.list_sessions(app_name=APP, user_id="bob")
        assert len(listed.sessions) == 250


async def test_max_connections_in_the_url_is_the_limit(valkey_url: str) -> None:
    url = f"{valkey_url}?max_connections=3&client_name=few"
    async with RedisSessionService(url, prefix=f"t{uuid.uuid4().hex}:") as service:
        names = [f"s{n}" for n in range(100)]
        await asyncio.gather(
            *(service.create_session(app_name=APP, user_id="ada", session_id=n) for n in names)
        )
        with redis.Redis.from_url(valkey_url) as client:
            mine = [one for one in client.client_list() if one["name"] == "few"]
        assert len(mine) == 3
