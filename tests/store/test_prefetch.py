"""Prefetching keeps the order, stops when the consumer stops, and hides no error."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import pytest

from adksess.store.prefetch import prefetch


class Source:
    """Counts up, an item at each step of the event loop, and notes how far it was asked to go."""

    def __init__(self, length: int, *, breaks: bool = False) -> None:
        self.length, self.breaks = length, breaks
        self.asked = 0
        self.closed = False

    async def __call__(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.length):
                self.asked = number + 1
                await asyncio.sleep(0)
                yield number
            if self.breaks:
                raise OSError("the source broke")
        finally:
            self.closed = True


@pytest.mark.parametrize("length", [0, 1, 2, 100])
async def test_the_same_items_in_the_same_order(length: int) -> None:
    assert [item async for item in prefetch(Source(length)())] == list(range(length))


async def test_the_next_item_is_requested_before_one_is_yielded() -> None:
    source = Source(10)
    async with aclosing(prefetch(prefetch(source()))) as items:
        assert await anext(items) == 0
        assert source.asked >= 2


async def test_it_prefetches_a_few_items_only() -> None:
    source = Source(1_000)
    async with aclosing(prefetch(source())) as items:
        await anext(items)
        await asyncio.sleep(0.01)
        assert source.asked <= 3


async def test_an_error_is_raised_after_the_items_before_it() -> None:
    items = prefetch(Source(3, breaks=True)())
    assert [await anext(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the source broke"):
        await anext(items)


async def test_stopping_early_leaves_nothing_running() -> None:
    source = Source(1_000)
    before = asyncio.all_tasks()
    async with aclosing(prefetch(source())) as items:
        await anext(items)
    assert asyncio.all_tasks() == before
    assert source.closed


async def test_a_cancelled_consumer_leaves_nothing_running() -> None:
    async def hanging() -> AsyncGenerator[int, None]:
        yield 0
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in prefetch(hanging()):
            pass

    before = asyncio.all_tasks()
    task = asyncio.create_task(consume())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_a_source_that_loses_a_cancellation_still_ends() -> None:
    async def deaf() -> AsyncGenerator[int, None]:
        for number in range(1_000):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
            yield number

    before = asyncio.all_tasks()
    async with asyncio.timeout(60), aclosing(prefetch(prefetch(deaf()))) as items:
        assert await anext(items) == 0
    assert asyncio.all_tasks() == before


async def test_a_source_that_is_cancelled_from_inside_ends_the_consumer() -> None:
    async def ends() -> AsyncGenerator[int, None]:
        yield 0
        raise asyncio.CancelledError

    items = prefetch(ends())
    assert await anext(items) == 0
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await anext(items)
