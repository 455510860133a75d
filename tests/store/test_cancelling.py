"""A cancelled call ends. Python 3.11 and redis-py together lose one in ten cancellations."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from adksess import SessionStore
from adksess.store.cancellation import complete
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.errors import ServerUnavailable
from adksess.store.settings import Settings


async def test_no_cancellation_is_lost(valkey_url: str) -> None:
    async with SessionStore(valkey_url) as store:
        await store.key_count()
        cancelled = 0
        for attempt in range(300):
            task = asyncio.create_task(store.key_count())
            for _ in range(attempt % 8):
                await asyncio.sleep(0)
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                cancelled += 1
        assert cancelled > 100
        assert await store.key_count() >= 0


async def test_one_that_comes_between_two_calls(valkey_url: str) -> None:
    async with SessionStore(valkey_url) as store:
        await store.key_count()

        async def work() -> None:
            task = asyncio.current_task()
            assert task
            task.cancel()  # as the handler of Ctrl-C does, in the midst of a computation
            await store.key_count()

        for _ in range(50):
            task = asyncio.create_task(work())
            await asyncio.wait([task])
            assert task.cancelled()


async def test_a_task_that_was_cancelled_may_still_clean_up(valkey_url: str) -> None:
    async with SessionStore(valkey_url) as store:

        async def work() -> int:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return await store.key_count()
            return -1

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        assert await task >= 0


class NoClient:
    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("is_write", [False, True])
@pytest.mark.parametrize("error", [None, ServerUnavailable("away")])
async def test_a_call_that_loses_its_cancellation(error: Exception | None, is_write: bool) -> None:
    """As the wait_for() of Python 3.11 does, which redis-py uses on a cluster."""
    connect: Any = lambda settings: NoClient()  # noqa: E731
    client = RedisClient(Settings.parse("redis://host"), connect=connect)
    started = asyncio.Event()
    attempts = 0

    async def lose(_: Client, attempt: int) -> None:
        nonlocal attempts
        attempts += 1
        started.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)
        if error:
            raise error

    async def call() -> None:
        await client.call(lose)

    task = asyncio.create_task(complete(call) if is_write else call())
    await started.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert attempts == 1
