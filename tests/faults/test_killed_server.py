"""A server that is killed: each acknowledged event is stored once, and the service continues."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from adksess import RedisSessionService, SessionStore
from adksess.store.errors import ServerUnavailable
from tests.events import event, texts
from tests.servers import ServerProcess, running, server_binary, wait_until

APP, USER = "demo", "ada"
KILLS, WRITERS = 10, 4


@pytest.fixture(params=["valkey", "redis8"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that has each acknowledged write on disk."""
    binary = server_binary(request.param)
    with running(binary, tmp_path, appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.mark.slow
async def test_killed_ten_times_under_load(server: ServerProcess) -> None:
    # without retries of our own, so that each kill causes an error
    service = RedisSessionService(store=SessionStore(server.url, retries=0))
    await service.create_session(app_name=APP, user_id=USER, session_id="s")
    acknowledged: list[str] = []
    failed: list[str] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        session = await service.get_session(app_name=APP, user_id=USER, session_id="s")
        assert session is not None
        number = 0
        while not stop.is_set():
            given = event(f"{writer} {number}", state={f"w{writer}": number, f"k{number}": 1})
            while True:
                try:
                    await service.append_event(session, given)
                    acknowledged.append(f"{writer} {number}")
                    break
                except ServerUnavailable:
                    failed.append(f"{writer} {number}")
                    await asyncio.sleep(0.01)
            number += 1

    tasks = [asyncio.create_task(write(writer)) for writer in range(WRITERS)]
    for _ in range(KILLS):
        target = len(acknowledged) + 40
        while len(acknowledged) < target:
            await asyncio.sleep(0.001)
        await asyncio.to_thread(restart, server)
    target = len(acknowledged) + 40
    while len(acknowledged) < target:
        await asyncio.sleep(0.001)
    stop.set()
    await asyncio.gather(*tasks)

    assert failed, "no call failed: the kills came between the calls"
    found = await service.get_session(app_name=APP, user_id=USER, session_id="s")
    assert found is not None
    with server.client() as client:
        assert json.loads(client.get("session:demo:ada:s"))["event_count"] == len(found.events)
    assert Counter(texts(found)) == Counter(acknowledged)
    for writer in range(WRITERS):
        mine = [int(t.split()[1]) for t in texts(found) if t.startswith(f"{writer} ")]
        assert mine == list(range(len(mine)))
        assert found.state[f"w{writer}"] == mine[-1]
    await service.aclose()


def restart(server: ServerProcess) -> None:
    server.kill()
    server.launch()
    wait_until(server.answers)


async def test_the_service_works_when_the_server_is_back(server: ServerProcess) -> None:
    service = RedisSessionService(server.url)
    session = await service.create_session(app_name=APP, user_id=USER)
    server.kill()
    given = event("while it was away", state={"a": 1})
    for _ in range(3):
        with pytest.raises(ServerUnavailable, match="Cannot reach"):
            await service.append_event(session, given)
        with pytest.raises(ServerUnavailable, match="Cannot reach"):
            await service.list_sessions(app_name=APP, user_id=USER)
    assert session.events == []
    server.start()
    await service.append_event(session, given)
    found = await service.get_session(app_name=APP, user_id=USER, session_id=session.id)
    assert found == session
    await service.aclose()
