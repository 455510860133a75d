"""A cancelled write is completed before CancelledError is raised: in order, and exactly once."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.adk.sessions.session import Session

from adksess import RedisSessionService
from adksess.store.client import MAX_CONNECTIONS
from tests.events import event, texts
from tests.faults.proxy import STALL, Proxy, proxy

APP, USER = "demo", "ada"


@asynccontextmanager
async def service_behind(
    valkey_url: str, query: str = "", **behaviour: Callable[[], Any]
) -> AsyncIterator[tuple[RedisSessionService, Proxy]]:
    port = urlsplit(valkey_url).port
    assert port
    async with proxy(port, **behaviour) as between:
        uri = f"{between.url}?prefix=t{uuid.uuid4().hex}:{query}"
        async with RedisSessionService(uri) as service:
            yield service, between


@pytest.fixture
async def service(valkey_url: str) -> AsyncIterator[RedisSessionService]:
    async with RedisSessionService(valkey_url, prefix=f"t{uuid.uuid4().hex}:") as service:
        yield service


async def stored(service: RedisSessionService, session: Session) -> Session | None:
    return await service.get_session(app_name=APP, user_id=USER, session_id=session.id)


async def cancelled(call: Coroutine[Any, Any, Any], steps: int) -> bool:
    """Run a call and cancel it after some steps of the event loop. True if it was cancelled."""
    task = asyncio.create_task(call)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return task.cancelled()


@pytest.mark.parametrize("policy", ["append", "reject"])
async def test_order_on_an_uneven_network(valkey_url: str, policy: str) -> None:
    """The connection of a second request may be faster than that of the first one."""
    chance = random.Random(7)
    interrupted = 0

    def latency() -> float:
        return chance.uniform(0.000_25, 0.01)

    async with service_behind(valkey_url, f"&conflict={policy}", latency=latency) as (service, _):

        async def write() -> None:
            nonlocal interrupted
            session = await service.create_session(app_name=APP, user_id=USER)
            for number in range(12):
                append = service.append_event(session, event(f"{number}", state={"n": number}))
                task = asyncio.create_task(append)
                await asyncio.wait([task], timeout=chance.uniform(0, 0.02))
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                interrupted += task.cancelled()
                assert len(session.events) == number + 1, "CancelledError came before the event"
            found = await stored(service, session)
            assert found == session
            assert texts(session) == [str(number) for number in range(12)]
            assert session.state["n"] == 11

        await asyncio.gather(*(write() for _ in range(MAX_CONNECTIONS)))
        assert interrupted > 100, "hardly any append was cancelled: the test proves nothing"


@pytest.mark.parametrize("is_connected", [False, True])
async def test_stored_exactly_once_at_any_cancellation(
    service: RedisSessionService, is_connected: bool
) -> None:
    session = await service.create_session(app_name=APP, user_id=USER)
    count = 0
    for steps in range(1, 40):
        if not is_connected:
            await service.aclose()
        sent = event(f"{steps}", state={"n": steps})
        count += await cancelled(service.append_event(session, sent), steps)
        assert texts(session)[-1] == f"{steps}"
        assert await stored(service, session) == session
    assert texts(session) == [str(steps) for steps in range(1, 40)]
    assert count >= 1 if is_connected else count > 5


async def test_a_large_event_cancelled_while_it_is_sent(service: RedisSessionService) -> None:
    """Larger than the buffers of the socket, so it is cancelled while it is being sent."""
    session = await service.create_session(app_name=APP, user_id=USER)
    for steps in range(1, 8):
        sent = event(f"{steps} " + "x" * 5_000_000)
        assert await cancelled(service.append_event(session, sent), steps)
        assert len(session.events) == steps
    assert await stored(service, session) == session


async def test_cancelled_while_it_waits_for_a_connection(valkey_url: str) -> None:
    async with RedisSessionService(f"{valkey_url}?max_connections=1") as service:
        session = await service.create_session(app_name=APP, user_id=uuid.uuid4().hex)
        others = [asyncio.create_task(service.store.key_count()) for _ in range(5)]
        await asyncio.sleep(0)
        assert await cancelled(service.append_event(session, event("kept")), 2)
        assert texts(session) == ["kept"]
        await asyncio.gather(*others)


async def test_cancelled_again_and_again(service: RedisSessionService) -> None:
    """The cancel scopes of anyio, under every web framework, repeat it in each step of the loop."""
    for is_connected in (True, False):
        session = await service.create_session(app_name=APP, user_id=USER)
        if not is_connected:
            await service.aclose()
        task = asyncio.create_task(service.append_event(session, event("kept", state={"n": 1})))
        await asyncio.sleep(0)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()
        assert texts(session) == ["kept"]
        assert await stored(service, session) == session


async def test_the_timeout_of_a_call_ends_a_cancelled_write(valkey_url: str) -> None:
    faults: list[str | None] = []

    def choose() -> str | None:
        return faults.pop(0) if faults else None

    query = "&socket_timeout=0.5"
    async with service_behind(valkey_url, query, choose=choose) as (service, between):
        session = await service.create_session(app_name=APP, user_id=USER)
        await service.append_event(session, event("first"))  # the server knows the script then
        faults.append(STALL)
        assert await cancelled(service.append_event(session, event("late")), 5)
        assert between.faults == 1
        assert texts(session) == ["first"]
        await service.append_event(session, event("next"))
        found = await stored(service, session)
        assert found is not None
        assert texts(found) == ["first", "late", "next"]


async def test_a_timeout_of_the_caller(service: RedisSessionService) -> None:
    session = await service.create_session(app_name=APP, user_id=USER)
    for number in range(20):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.000_01 * number):
                await service.append_event(session, event(f"{number}"))
        assert texts(session)[-1:] in ([], [f"{number}"])
    assert await stored(service, session) == session


def test_writes_at_the_end_of_a_loop_are_completed(valkey_url: str) -> None:
    """asyncio.run() cancels the tasks that are left, and closes the loop."""
    service = RedisSessionService(valkey_url, prefix=f"t{uuid.uuid4().hex}:")
    session = asyncio.run(service.create_session(app_name=APP, user_id=USER))

    async def leave(number: int, steps: int) -> None:
        task = asyncio.create_task(service.append_event(session, event(f"{number}")))
        for _ in range(steps):
            await asyncio.sleep(0)
        if number % 2:
            task.cancel()  # what a repeated request does in a task of its own is cancelled, too
            await asyncio.sleep(0)

    for number in range(30):
        asyncio.run(leave(number, 1 + number // 2))
        assert len(session.events) == number + 1
    found = asyncio.run(stored(service, session))
    assert found == session
    assert texts(session) == [str(number) for number in range(30)]


async def test_a_failed_write_is_reported(
    service: RedisSessionService, caplog: pytest.LogCaptureFixture
) -> None:
    session = await service.create_session(app_name=APP, user_id=USER)
    await service.delete_session(app_name=APP, user_id=USER, session_id=session.id)
    assert await cancelled(service.append_event(session, event("lost")), 1)
    assert session.events == []
    assert f"after its task was cancelled: Session {session.id} not found." in caplog.text


async def test_creates_and_deletes_are_completed_too(service: RedisSessionService) -> None:
    """Otherwise a late create restores a deleted session, or a late delete removes a new one."""
    for steps in range(1, 12):
        named = {"app_name": APP, "user_id": USER, "session_id": f"s{steps}"}
        await cancelled(service.create_session(**named, state={"n": steps}), steps)
        found = await service.get_session(**named)
        assert found is not None
        assert json.loads(json.dumps(found.state)) == {"n": steps}
        await cancelled(service.delete_session(**named), steps)
        assert await service.get_session(**named) is None
