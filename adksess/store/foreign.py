"""Keys of other programs, read and never written."""

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from adksess.store import scripts
from adksess.store.client import Client, RedisClient
from adksess.store.read import key_count, scan_keys
from adksess.store.settings import Settings

_BATCH = 200


class ForeignRedis:
    """A Redis in which other programs keep something. Every method may raise ServerUnavailable."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._server = RedisClient(settings)

    async def key_count(self) -> int:
        """Keys in the database."""
        return await key_count(self._server)

    async def scan(self, pattern: bytes) -> AsyncIterator[list[bytes]]:
        """The keys that match a pattern, in batches; one may come twice."""
        async for batch in scan_keys(self._server, pattern):
            for start in range(0, len(batch), _BATCH):
                yield batch[start : start + _BATCH]

    async def strings(self, keys: Sequence[bytes]) -> list[tuple[bytes | None, int | None]]:
        """Value and TTL in ms (None for ever) of each key; no value where it is no string."""
        there = await self._of_type(keys, b"string")
        answers = await self._run(
            [command for key in there for command in (("GET", key), ("PTTL", key))]
        )
        found = dict(zip(there, zip(answers[::2], answers[1::2], strict=True), strict=True))
        return [
            (value, None if ttl < 0 else ttl)
            for value, ttl in (found.get(key, (None, -1)) for key in keys)
        ]

    async def hashes(self, keys: Sequence[bytes]) -> list[dict[bytes, bytes]]:
        """The fields of each key; none where it is no hash."""
        there = await self._of_type(keys, b"hash")
        found = dict(zip(there, await self._run([("HGETALL", key) for key in there]), strict=True))
        return [found.get(key, {}) for key in keys]

    async def lists(self, keys: Sequence[bytes]) -> list[list[bytes]]:
        """The items of each key; none where it is no list."""
        there = await self._of_type(keys, b"list")
        commands: list[tuple[scripts.Argument, ...]] = [("LRANGE", key, 0, -1) for key in there]
        found = dict(zip(there, await self._run(commands), strict=True))
        return [found.get(key, []) for key in keys]

    async def aclose(self) -> None:
        """Close the running event loop's connections."""
        await self._server.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _of_type(self, keys: Sequence[bytes], wanted: bytes) -> list[bytes]:
        unique = list(dict.fromkeys(keys))
        types = await self._run([("TYPE", key) for key in unique])
        return [key for key, kind in zip(unique, types, strict=True) if kind == wanted]

    async def _run(self, commands: Sequence[tuple[scripts.Argument, ...]]) -> list[Any]:
        async def run(client: Client, attempt: int) -> list[Any]:
            return await scripts.run_all(client, commands)

        return await self._server.call(run) if commands else []
