"""A move that is killed at any point: the session has exactly one of its names."""

import asyncio
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio.connection import AbstractConnection

from adksess import SessionRef, SessionStore
from adksess.store.errors import ServerUnavailable
from adksess.store.models import MoveResult
from adksess.store.state import StateDelta
from tests.cluster import running_cluster
from tests.servers import ServerProcess, running, server_binary

REF = SessionRef("demo", "ada", "s1")
TARGET = REF._replace(user_id="bob")


def test_killed_at_every_point_on_one_server(redis_url: str) -> None:
    kills = 0
    for step in count():
        _fill(redis_url)
        was_killed = _move_and_die(redis_url, step)
        kills += was_killed
        assert len(_names(redis_url)) == 1, f"after {step} steps"
        assert _indexed(redis_url) == _names(redis_url)
        asyncio.run(_move(redis_url))
        assert _names(redis_url) == _indexed(redis_url) == [TARGET]
        if not was_killed:
            break
    assert kills > 5, "no step was killed: the test proves nothing"


def test_killed_at_every_point_on_a_cluster(tmp_path: Path) -> None:
    kills = both = 0
    with running_cluster(tmp_path) as cluster:
        for step in count():
            _fill(cluster.url)
            was_killed = _move_and_die(cluster.url, step)
            kills += was_killed
            names = _names(cluster.url)
            assert names, f"after {step} steps"
            both += len(names) == 2
            asyncio.run(_move(cluster.url))  # moving it again completes the move
            assert _names(cluster.url) == [TARGET]
            if not was_killed:
                break
    assert kills > 5
    assert both < kills / 2, "two names are the exception, between two commands"


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that has each acknowledged write on disk."""
    binary = server_binary("redis8")
    with running(binary, tmp_path, appendonly="yes", appendfsync="always") as server:
        yield server


async def test_a_killed_server_has_each_session_once(durable: ServerProcess) -> None:
    refs = [REF._replace(session_id=f"s{number}") for number in range(120)]
    async with SessionStore(durable.url, retries=0) as store:
        for ref in refs:
            await store.create(ref)

        async def move_all() -> None:
            for ref in refs:
                while True:
                    try:
                        await store.move(ref, "bob")
                        break
                    except ServerUnavailable:
                        await asyncio.sleep(0.01)

        task = asyncio.create_task(move_all())
        for share in (0.2, 0.4, 0.6):
            while len([r async for b in _refs(store) for r in b if r.user_id == "bob"]) < (
                share * len(refs)
            ):
                await asyncio.sleep(0.005)
            await asyncio.to_thread(_restart, durable)
            names = [ref.session_id async for batch in _refs(store) for ref in batch]
            assert sorted(names) == sorted(ref.session_id for ref in refs)
        await task
        assert {r async for b in store.scan_refs() for r in b} == {
            ref._replace(user_id="bob") for ref in refs
        }


async def _refs(store: SessionStore) -> Any:
    """Scan, and retry until the server has started."""
    while True:
        try:
            found = [list(set(batch)) async for batch in store.scan_refs()]
            break
        except ServerUnavailable:
            await asyncio.sleep(0.01)
    yield list({ref for batch in found for ref in batch})


def _restart(server: ServerProcess) -> None:
    server.kill()
    server.start()


def _fill(url: str) -> None:
    async def fill() -> None:
        async with SessionStore(url) as store:
            await store.delete([REF, TARGET])
            await store.create(REF, StateDelta({"k": [1, {}]}), ttl=500)
            for number in range(3):
                event = {"id": f"e{number}", "timestamp": float(number)}
                await store.append(REF, event, timestamp=float(number))

    asyncio.run(fill())


async def _move(url: str) -> MoveResult:
    async with SessionStore(url) as store:
        return await store.move(REF, "bob")


def _move_and_die(url: str, steps: int) -> bool:
    """Move in a process that is killed after so many sends and receives. Was it killed?"""
    child = os.fork()
    if child == 0:
        _die_after(steps)
        asyncio.run(_move(url))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _die_after(steps: int) -> None:
    left = [steps]

    def tick() -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    send, read = AbstractConnection.send_packed_command, AbstractConnection.read_response

    async def counted_send(self: Any, *args: Any, **options: Any) -> Any:
        tick()
        await send(self, *args, **options)
        tick()

    async def counted_read(self: Any, *args: Any, **options: Any) -> Any:
        answer = await read(self, *args, **options)
        tick()
        return answer

    AbstractConnection.send_packed_command = counted_send  # type: ignore[method-assign]
    AbstractConnection.read_response = counted_read  # type: ignore[method-assign]


def _names(url: str) -> list[SessionRef]:
    async def names() -> list[SessionRef]:
        async with SessionStore(url) as store:
            stored = await store.values([REF, TARGET])
            for value in stored:
                assert b'"event_count":         3' in value.value
                assert value.ttl_ms is not None
                assert 400_000 < value.ttl_ms <= 500_000
            return [value.ref for value in stored]

    return asyncio.run(names())


def _indexed(url: str) -> list[SessionRef]:
    with redis.Redis.from_url(url) as client:
        return [
            ref
            for ref in (REF, TARGET)
            if client.zscore(f"user_sessions:demo:{ref.user_id}", "s1") is not None
            and client.zscore("app_sessions:demo", f"{ref.user_id}:s1") is not None
        ]
