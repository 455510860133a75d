"""The bridge from a command to the async store. Commands render after the loop is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from adksess.store.settings import Settings

if TYPE_CHECKING:
    from adksess.store.store import SessionStore

T = TypeVar("T")

# A person waits: one more try for a connection that broke, but no patience for a server that is
# not there.
_RETRIES = 1


def with_store(settings: Settings, work: Callable[["SessionStore"], Awaitable[T]]) -> T:
    """Open the store, do the work in a loop of its own, close the store, return the result."""

    results: list[T] = []

    async def main() -> None:
        from adksess.store.store import SessionStore

        async with SessionStore(settings, retries=_RETRIES) as store:
            results.append(await work(store))

    # Not returned by main(): asyncio.run() of Python 3.11 makes, and throws away, a repr of what
    # its task returns (by way of signal.getsignal), seconds for 100,000 sessions.
    asyncio.run(main())
    return results[0]
