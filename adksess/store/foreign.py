"""Read-only access to keys that other programs wrote."""

from collections.abc import AsyncIterator, Sequence

from adksess.store.batches import batched
from adksess.store.client import RedisClient
from adksess.store.closing import Closing
from adksess.store.scan import key_count, scan_keys
from adksess.store.settings import Settings

_BATCH = 200


class ReadOnlyRedis(Closing):
    """A Redis with keys of other programs. Every method may raise ServerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client = RedisClient(settings)

    async def key_count(self) -> int:
        """Return the number of keys in the database."""
        return await key_count(self._client)

    async def scan(self, pattern: bytes) -> AsyncIterator[list[bytes]]:
        """Yield the keys that match a pattern, in batches; a key may appear twice."""
        async for batch in scan_keys(self._client, pattern):
            for few in batched(batch, _BATCH):
                yield list(few)

    async def strings(self, keys: Sequence[bytes]) -> list[tuple[bytes | None, int | None]]:
        """Return value and TTL (ms, None for never) of each key; None for any other type."""
        strings = await self._of_type(keys, b"string")
        answers = await self._client.run_all(
            [command for key in strings for command in (("GET", key), ("PTTL", key))]
        )
        found = dict(zip(strings, zip(answers[::2], answers[1::2], strict=True), strict=True))
        return [
            (value, None if ttl < 0 else ttl)
            for value, ttl in (found.get(key, (None, -1)) for key in keys)
        ]

    async def hashes(self, keys: Sequence[bytes]) -> list[dict[bytes, bytes]]:
        """Return the fields of each key; empty for any other type."""
        hashes = await self._of_type(keys, b"hash")
        answers = await self._client.run_all([("HGETALL", key) for key in hashes])
        found = dict(zip(hashes, answers, strict=True))
        return [found.get(key, {}) for key in keys]

    async def lists(self, keys: Sequence[bytes]) -> list[list[bytes]]:
        """Return the items of each key; empty for any other type."""
        lists = await self._of_type(keys, b"list")
        answers = await self._client.run_all([("LRANGE", key, 0, -1) for key in lists])
        found = dict(zip(lists, answers, strict=True))
        return [found.get(key, []) for key in keys]

    async def aclose(self) -> None:
        """Close the running event loop's connections."""
        await self._client.aclose()

    async def _of_type(self, keys: Sequence[bytes], wanted: bytes) -> list[bytes]:
        unique = list(dict.fromkeys(keys))
        types = await self._client.run_all([("TYPE", key) for key in unique])
        return [key for key, kind in zip(unique, types, strict=True) if kind == wanted]
