"""How calls to Redis are made: retries, their limits, and whose turn it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis import exceptions

from adksess.store.client import Client, RedisClient
from adksess.store.errors import AdksessError, ServerUnavailable, WrongType
from adksess.store.settings import Settings


class NoClient:
    async def aclose(self) -> None:
        pass


def server(url: str = "redis://host", **options: Any) -> RedisClient:
    connect: Any = lambda settings: NoClient()  # noqa: E731
    return RedisClient(Settings.parse(url), connect=connect, **options)


def failing(*errors: Exception) -> tuple[Callable[[Client, int], Awaitable[str]], list[int]]:
    """A command that fails with each error in turn, and the attempts that it saw."""
    attempts: list[int] = []

    async def command(client: Client, attempt: int) -> str:
        attempts.append(attempt)
        if len(attempts) <= len(errors):
            raise errors[len(attempts) - 1]
        return "done"

    return command, attempts


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("gone"),
        exceptions.TimeoutError("late"),
        exceptions.BusyLoadingError("loading"),
        exceptions.ReadOnlyError("demoted"),
        exceptions.ClusterDownError("down"),
        exceptions.RedisClusterException("no node"),
    ],
)
async def test_what_passes_is_tried_again(error: Exception) -> None:
    command, attempts = failing(error, error)
    assert await server().call(command) == "done"
    assert attempts == [0, 1, 2]
    command, attempts = failing(*[error] * 9)
    with pytest.raises(ServerUnavailable):
        await server(retries=1).call(command)
    assert attempts == [0, 1]


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (exceptions.AuthenticationError("x"), ServerUnavailable, "refused the login"),
        (exceptions.NoPermissionError("x"), ServerUnavailable, "does not permit"),
        (exceptions.OutOfMemoryError("x"), ServerUnavailable, "out of memory"),
        (exceptions.ResponseError("WRONGTYPE x"), WrongType, "of another type"),
        (exceptions.ResponseError("ERR (call to f): -OOM x"), ServerUnavailable, "out of memory"),
        (exceptions.ResponseError("x: -READONLY x"), ServerUnavailable, "read-only replica"),
        (exceptions.ResponseError("MISCONF disk full"), ServerUnavailable, "MISCONF disk full"),
    ],
)
async def test_what_stays_is_not_tried_again(
    error: Exception, kind: type[AdksessError], says: str
) -> None:
    command, attempts = failing(error)
    with pytest.raises(kind, match=says):
        await server("redis://:s3cr3t@host").call(command)
    assert attempts == [0]


async def test_retries_end_with_the_time() -> None:
    command, attempts = failing(*[exceptions.ConnectionError("gone")] * 1_000)
    with pytest.raises(ServerUnavailable):
        await server("redis://host?socket_timeout=0.2", retries=1_000).call(command)
    assert len(attempts) < 10


async def test_a_fault_of_redis_py_on_a_cluster_is_a_lost_connection() -> None:
    error = AttributeError("'NoneType' object has no attribute 'writelines'")
    command, _ = failing(error)
    assert await server("redis+cluster://host").call(command) == "done"
    command, _ = failing(error)
    with pytest.raises(AttributeError):
        await server().call(command)


async def test_a_turn_that_never_comes() -> None:
    one = server("redis://host?max_connections=1&socket_timeout=0.05")
    command, _ = failing()
    await one.call(command)
    (mine,) = one._loops.values()
    await mine.turns.acquire()
    with pytest.raises(ServerUnavailable, match="stayed busy: raise max_connections"):
        await one.call(command)
    mine.turns.release()
    assert await one.call(command) == "done"


async def test_a_call_that_hangs_ends_with_the_time() -> None:
    async def hang(client: Client, attempt: int) -> None:
        await asyncio.Event().wait()

    one = server("redis://host?max_connections=1&socket_timeout=0.05")
    with pytest.raises(ServerUnavailable, match="did not answer in time"):
        await one.call(hang)
    command, _ = failing()
    assert await one.call(command) == "done"
