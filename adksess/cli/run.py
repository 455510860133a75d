"""The bridge from a command to the async store. Commands render after the loop is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from adksess.store.connection import Settings

if TYPE_CHECKING:
    from adksess.store.store import SessionStore

T = TypeVar("T")


def with_store(settings: Settings, work: Callable[["SessionStore"], Awaitable[T]]) -> T:
    """Open the store, do the work in a loop of its own, close the store, return the result."""

    async def main() -> T:
        from adksess.store.store import SessionStore

        async with SessionStore(settings) as store:
            return await work(store)

    return asyncio.run(main())
