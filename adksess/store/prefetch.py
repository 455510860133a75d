"""Fetching ahead: the server works on the next batch while this one is looked at."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def prefetch(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same items in the same order, the next one already asked for when one is yielded.

    Whatever ends the source is raised after the items that came before it.
    """
    fetched: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    room = asyncio.Semaphore(1)
    is_wanted = True

    async def fetch() -> None:
        async with aclosing(source):
            async for item in source:
                fetched.put_nowait((item,))
                await room.acquire()
                if not is_wanted:  # a cancellation may be lost: in wait_for() of Python 3.11
                    return

    task = asyncio.create_task(fetch())
    task.add_done_callback(lambda _: fetched.put_nowait(None))
    try:
        while found := await fetched.get():
            room.release()
            yield found[0]
        await task
    finally:
        is_wanted = False
        room.release()
        task.cancel()
        await asyncio.wait([task])
