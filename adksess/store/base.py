"""StoreBase: what the operations of SessionStore share."""

from collections.abc import Callable

from adksess.store.client import RedisClient
from adksess.store.closing import Closing
from adksess.store.connect import Client
from adksess.store.keys import Keys
from adksess.store.settings import DEFAULT_URL, Settings


class StoreBase(Closing):
    """The settings, the keys and the client of a store."""

    def __init__(
        self,
        url: str | Settings = DEFAULT_URL,
        *,
        ttl: int | None = None,
        prefix: str | None = None,
        retries: int = 4,
        connect: Callable[[Settings], Client] | None = None,
    ) -> None:
        """Use a Redis URL, such as `redis://host:6379/0?ttl=7d&prefix=prod:`.

        `retries` is how often a call is retried after a lost connection; `connect` makes the
        redis-py client from the settings. Raises InvalidURL. Does not connect yet.
        """
        self.settings = (
            url if isinstance(url, Settings) else Settings.parse(url, ttl=ttl, prefix=prefix)
        )
        self.keys = Keys(self.settings.prefix)
        self._client = RedisClient(self.settings, retries=retries, connect=connect)

    @property
    def open_loops(self) -> int:
        """The number of event loops that have connections."""
        return self._client.open_loops

    async def aclose(self) -> None:
        """Close the running event loop's connections. A later call opens new ones."""
        await self._client.aclose()
