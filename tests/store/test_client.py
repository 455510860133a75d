"""Calls to Redis: retries, their limits, and waiting for a connection."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import exceptions

from adksess.store.client import RedisClient
from adksess.store.connect import Client
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
        exceptions.ResponseError("ERR Error running script: -READONLY demoted"),
        exceptions.ClusterDownError("down"),
        exceptions.RedisClusterException("no node"),
    ],
)
async def test_transient_errors_are_retried(error: Exception) -> None:
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
        (exceptions.AuthenticationError("x"), ServerUnavailable, "rejected the login"),
        (exceptions.NoPermissionError("x"), ServerUnavailable, "does not permit"),
        (exceptions.OutOfMemoryError("x"), ServerUnavailable, "out of memory"),
        (exceptions.ResponseError("WRONGTYPE x"), WrongType, "of another type"),
        (exceptions.ResponseError("ERR (call to f): -OOM x"), ServerUnavailable, "out of memory"),
        (exceptions.ResponseError("MISCONF disk full"), ServerUnavailable, "MISCONF disk full"),
    ],
)
async def test_permanent_errors_are_not_retried(
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


async def test_a_writer_that_redis_py_closed_is_a_lost_connection() -> None:
    with pytest.raises(AttributeError) as closed:
        None.writelines([])  # type: ignore[attr-defined]
    command, attempts = failing(closed.value)
    assert await server("redis+cluster://host").call(command) == "done"
    assert attempts == [0, 1]


async def test_a_closed_transport_is_a_lost_connection(valkey_url: str) -> None:
    """Python 3.12 and 3.13 raise TypeError when they write to it, other versions nothing."""
    port = urlsplit(valkey_url).port

    async def command(client: Client, attempt: int) -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        writer.writelines([b"PING\r\n"] * (attempt == 0))
        return "done"

    assert await server("redis://host").call(command) == "done"


@pytest.mark.parametrize("mistake", [lambda: object().writelines, lambda: len(1)])  # type: ignore
async def test_a_programming_error_is_not_retried(mistake: Callable[[], object]) -> None:
    with pytest.raises((AttributeError, TypeError)) as ours:
        mistake()
    for url in ("redis://host", "redis+cluster://host"):
        command, attempts = failing(ours.value)
        with pytest.raises(type(ours.value)):
            await server(url).call(command)
        assert attempts == [0]


async def test_a_slot_that_never_becomes_free() -> None:
    one = server("redis://host?max_connections=1&socket_timeout=0.05")
    release = asyncio.Event()

    async def hold(client: Client, attempt: int) -> str:
        with suppress(asyncio.CancelledError):  # outlasts its own timeout
            await release.wait()
        await release.wait()
        return "done"

    task = asyncio.create_task(one.call(hold))
    await asyncio.sleep(0)
    with pytest.raises(ServerUnavailable, match="stayed busy: raise max_connections"):
        await one.call(hold)
    release.set()
    assert await task == "done"
    assert await one.call(hold) == "done"


async def test_a_call_that_hangs_ends_with_the_time() -> None:
    async def hang(client: Client, attempt: int) -> None:
        await asyncio.Event().wait()

    one = server("redis://host?max_connections=1&socket_timeout=0.05")
    with pytest.raises(ServerUnavailable, match="did not answer in time"):
        await one.call(hang)
    command, _ = failing()
    assert await one.call(command) == "done"
