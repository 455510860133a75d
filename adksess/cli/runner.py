"""Run async work on a store. Commands print after the event loop has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from adksess.store.settings import Settings

if TYPE_CHECKING:
    from adksess.store.store import SessionStore

T = TypeVar("T")

# Interactive: retry a dropped connection once, fail fast when the server is down.
_RETRIES = 1


def with_store(settings: Settings, work: Callable[["SessionStore"], Awaitable[T]]) -> T:
    """Open the store, run `work` in an event loop, close the store and return the result."""
    results: list[T] = []

    async def main() -> None:
        from adksess.store.store import SessionStore

        async with SessionStore(settings, retries=_RETRIES) as store:
            results.append(await work(store))

    # Not returned by main(): asyncio.run() of Python 3.11 builds a repr of what its task returns
    # (through signal.getsignal), which takes seconds for 100,000 sessions.
    asyncio.run(main())
    return results[0]
