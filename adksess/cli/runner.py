"""From a command's options to an open store. Commands print after the event loop has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from adksess.store.durations import parse_duration
from adksess.store.errors import InvalidURL
from adksess.store.settings import DEFAULT_URL, Settings

if TYPE_CHECKING:
    from adksess.cli.options import ConnectionOptions
    from adksess.store.store import SessionStore

T = TypeVar("T")

# Interactive: retry a dropped connection once, fail fast when the server is down.
_RETRIES = 1


def settings_from(connection: "ConnectionOptions", *, ttl: str | None = None) -> Settings:
    """Return the settings that a command's options ask for.

    Raises InvalidURL or InvalidDuration.
    """
    url = connection.redis_url
    if url is not None and not url.strip():
        raise InvalidURL("The Redis URL is empty: write it like redis://host:6379/0.")
    return Settings.parse(
        url or DEFAULT_URL,
        ttl=None if ttl is None else parse_duration(ttl),
        prefix=connection.prefix,
    )


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
