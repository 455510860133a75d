"""Fetch the next batch while the current one is processed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def prefetch(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yield the items of a source; the next one is requested before one is yielded.

    An error of the source is raised after the items before it.
    """
    fetched: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    slot = asyncio.Semaphore(1)
    is_wanted = True

    async def fetch() -> None:
        async with aclosing(source):
            async for item in source:
                fetched.put_nowait((item,))
                await slot.acquire()
                if not is_wanted:  # a cancellation may be lost: in wait_for() of Python 3.11
                    return

    task = asyncio.create_task(fetch())
    task.add_done_callback(lambda _: fetched.put_nowait(None))
    try:
        while found := await fetched.get():
            slot.release()
            yield found[0]
        await task
    finally:
        is_wanted = False
        slot.release()
        task.cancel()
        await asyncio.wait([task])
