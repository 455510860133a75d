"""Fetching ahead: the server works on the next batch while this one is looked at."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def ahead(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same items in the same order, the next one already asked for when one is yielded.

    An error of the source is raised after the items that came before it.
    """
    fetched: asyncio.Queue[tuple[T] | Exception | None] = asyncio.Queue(maxsize=1)

    async def fetch() -> None:
        try:
            async for item in source:
                await fetched.put((item,))
        except Exception as exc:
            await fetched.put(exc)
        else:
            await fetched.put(None)

    task = asyncio.create_task(fetch())
    try:
        while (found := await fetched.get()) is not None:
            if isinstance(found, Exception):
                raise found
            yield found[0]
    finally:
        task.cancel()
        await asyncio.wait([task])
