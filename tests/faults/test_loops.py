"""Event loops, threads and cancelled tasks: how ADK's runners use a session service."""

import asyncio
import gc
import threading
import uuid
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import redis
from google.adk.agents.base_agent import BaseAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.events.event import Event
from google.adk.runners import Runner
from google.genai import types

from adksess import RedisSessionService
from adksess.store.client import RedisClient
from adksess.store.settings import Settings
from tests.events import event, texts

APP, USER = "demo", "ada"
RUNS = 100


class Echo(BaseAgent):
    """Counts its turns."""

    async def _run_async_impl(self, ctx: InvocationContext) -> AsyncGenerator[Event, None]:
        turns = ctx.session.state.get("turns", 0) + 1
        yield event(f"turn {turns}", author=self.name, state={"turns": turns})


def open_files() -> int:
    """The number of open file descriptors; Linux and macOS list them."""
    return len(list(Path("/dev/fd").iterdir()))


@pytest.fixture
def service(valkey_url: str) -> RedisSessionService:
    return RedisSessionService(f"{valkey_url}?client_name=loops", prefix=f"t{uuid.uuid4().hex}:")


def connections(valkey_url: str) -> int:
    with redis.Redis.from_url(valkey_url) as client:
        return len([one for one in client.client_list() if one["name"] == "loops"])


@pytest.mark.slow
def test_a_hundred_runs_leak_no_files(valkey_url: str, service: RedisSessionService) -> None:
    """Each `Runner.run()` is a new thread with a new event loop. ADK closes no service."""
    runner = Runner(agent=Echo(name="echo"), app_name=APP, session_service=service)
    message = types.Content(role="user", parts=[types.Part(text="hello")])
    asyncio.run(service.create_session(app_name=APP, user_id=USER, session_id="s"))
    gc.collect()  # what other tests left behind
    before = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(RUNS):
            list(runner.run(user_id=USER, session_id="s", new_message=message))
            gc.collect(0)
            before = before or open_files()
        gc.collect()
    assert before is not None
    assert open_files() <= before
    assert connections(valkey_url) == 0
    assert service.store.open_loops == 0
    assert [one for one in caught if issubclass(one.category, ResourceWarning)] == []

    found = asyncio.run(service.get_session(app_name=APP, user_id=USER, session_id="s"))
    assert found is not None
    assert found.state == {"turns": RUNS}
    assert len(found.events) == 2 * RUNS


def test_one_service_in_several_threads(service: RedisSessionService) -> None:
    asyncio.run(service.create_session(app_name=APP, user_id=USER, session_id="s"))

    async def write(writer: int) -> None:
        session = await service.get_session(app_name=APP, user_id=USER, session_id="s")
        assert session is not None
        for number in range(25):
            await service.append_event(session, event(f"{writer} {number}"))

    async def run() -> None:
        threads = (asyncio.to_thread(asyncio.run, write(writer)) for writer in range(8))
        await asyncio.gather(*threads)

    asyncio.run(run())
    found = asyncio.run(service.get_session(app_name=APP, user_id=USER, session_id="s"))
    assert found is not None
    for writer in range(8):
        mine = [t for t in texts(found) if t.startswith(f"{writer} ")]
        assert mine == [f"{writer} {n}" for n in range(25)]


@pytest.mark.parametrize("in_threads", [False, True])
def test_loops_closed_by_hand_leak_no_connections(
    valkey_url: str, service: RedisSessionService, in_threads: bool
) -> None:
    """Without `asyncio.run()` nothing ends the async generators of a loop."""

    async def count() -> int:
        return await service.store.key_count()

    def work() -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(asyncio.wait_for(count(), 5))
        loop.close()

    def work_forever() -> None:
        loop = asyncio.new_event_loop()
        loop.create_task(count()).add_done_callback(lambda _: loop.stop())
        loop.run_forever()
        loop.close()

    def work_and_leave_it_open() -> None:
        asyncio.new_event_loop().run_until_complete(count())

    kinds = [work, work_forever, work_and_leave_it_open] if in_threads else [work, work_forever]
    gc.collect()
    gc.disable()  # it would close what is left
    try:
        before = open_files()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for number in range(24):
                kind = kinds[number % len(kinds)]
                if in_threads:
                    thread = threading.Thread(target=kind)
                    thread.start()
                    thread.join()
                else:
                    kind()
            asyncio.run(count())
        assert service.store.open_loops == 0
        assert connections(valkey_url) == 0
        if not in_threads:  # the loops that are left open have files of their own
            assert open_files() <= before
        assert [one for one in caught if issubclass(one.category, ResourceWarning)] == []
    finally:
        gc.enable()


def test_a_loop_closed_in_the_midst_of_a_call(valkey_url: str) -> None:
    client = RedisClient(Settings.parse(f"{valkey_url}?client_name=loops"))
    loop = asyncio.new_event_loop()
    task = loop.create_task(client.command("BLPOP", "nothing", 0))
    while not connections(valkey_url):
        loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    task.get_coro().close()
    assert asyncio.run(client.command("ECHO", "again")) == b"again"
    assert connections(valkey_url) == 0


async def test_a_cancelled_reads_reply_does_not_reach_the_next_call(
    service: RedisSessionService,
) -> None:
    for user in ("ada", "bob"):
        await service.create_session(
            app_name=APP, user_id=user, session_id="s", state={"of": user, "x": "x" * 50_000}
        )
    for number in range(60):
        task = asyncio.create_task(service.get_session(app_name=APP, user_id="ada", session_id="s"))
        for _ in range(number % 12 + 1):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = await service.get_session(app_name=APP, user_id="bob", session_id="s")
        assert found is not None
        assert found.state["of"] == "bob"
    await service.aclose()


async def test_a_closed_service_opens_again(service: RedisSessionService) -> None:
    async with service:
        session = await service.create_session(app_name=APP, user_id=USER)
    await service.append_event(session, event())
    await service.aclose()
    await service.aclose()
