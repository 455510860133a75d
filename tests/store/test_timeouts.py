"""A busy event loop is not reported as a server that does not answer."""

import asyncio
import time

import pytest

from adksess.store.timeouts import LoopTimeout


async def blocked_turns(turns: int, seconds: float) -> None:
    """Block the event loop in each of so many turns."""
    for _ in range(turns):
        time.sleep(seconds)
        await asyncio.sleep(0)


async def test_a_wait_ends_with_the_time() -> None:
    with pytest.raises(TimeoutError):
        async with LoopTimeout(0.05):
            await asyncio.Event().wait()


async def test_a_block_within_the_limit_continues() -> None:
    async with LoopTimeout(60):
        await asyncio.sleep(0)


async def test_a_blocked_loop_does_not_use_up_the_time() -> None:
    """Eight turns of 50 ms are eight times the limit of the block, but fewer than ten turns."""
    async with LoopTimeout(0.05):
        await blocked_turns(8, 0.05)


async def test_a_loop_that_stays_blocked_is_bounded() -> None:
    with pytest.raises(TimeoutError):
        async with LoopTimeout(0.05):
            await blocked_turns(1_000, 0.01)


async def test_progress_starts_the_time_again() -> None:
    finished = 0

    async def work() -> None:
        nonlocal finished
        for _ in range(30):
            await asyncio.sleep(0.01)
            finished += 1

    working = asyncio.create_task(work())
    with pytest.raises(TimeoutError):
        async with LoopTimeout(0.1, lambda: finished):
            await asyncio.Event().wait()
    assert working.done()


async def test_an_error_and_a_cancellation_pass_through() -> None:
    with pytest.raises(KeyError):
        async with LoopTimeout(60):
            raise KeyError
    waiting = asyncio.create_task(_wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def _wait() -> None:
    async with LoopTimeout(60):
        await asyncio.Event().wait()
