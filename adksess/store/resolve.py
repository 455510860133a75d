"""Finding the sessions that people name: by id, a prefix of one, app/user/id, or the whole key."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.keys import MIN_PREFIX, Keys, SessionRef, UserRef
from adksess.store.read import scan_keys

_BATCH = 500


async def find(
    server: RedisClient, keys: Keys, names: Sequence[str], *, exact: bool = False
) -> list[list[SessionRef]]:
    """For each name the sessions that it may mean: none, the one, or several.

    A name is a whole key, app/user/id, an id, or a prefix of one; the first of these that fits
    an existing session counts; with `exact` no prefix does. Any number of names costs at most one
    pass over the keys.
    """
    spelled = [list(_spelled_out(keys, name)) for name in names]
    existing = await _existing(server, keys, [ref for refs in spelled for ref in refs])
    answers = [[ref for ref in refs if ref in existing] for refs in spelled]
    open_names = [name for name, refs in zip(names, answers, strict=True) if not refs]
    if open_names:
        pattern = (
            keys.session_id_pattern(open_names[0])
            if len(open_names) == 1
            else keys.sessions_pattern()
        )
        by_id = await _by_id(server, keys, pattern)
        ordered = sorted(by_id)
        for name, refs in zip(names, answers, strict=True):
            if not refs:
                refs += by_id.get(name) or ([] if exact else _starting_with(by_id, ordered, name))
    return answers


async def expired(server: RedisClient, keys: Keys, session_id: str) -> list[tuple[UserRef, float]]:
    """Users whose index still holds an id that has expired, with the time (Unix seconds)."""
    found: list[tuple[UserRef, float]] = []
    now = time.time()
    async for batch in scan_keys(server, keys.user_sessions_pattern(), kind="zset"):
        indexes = [key for key in batch if keys.parse_user_sessions(key)]

        async def scores(
            client: Client, attempt: int, indexes: list[bytes] = indexes
        ) -> list[float | None]:
            return await scripts.run_all(client, [("ZSCORE", key, session_id) for key in indexes])

        for key, score in zip(indexes, await server.call(scores), strict=True):
            user = keys.parse_user_sessions(key)
            if user and score is not None and score < now:
                found.append((user, score))
    return found


def _spelled_out(keys: Keys, name: str) -> Iterator[SessionRef]:
    """The sessions that a name spells out in full. Names may hold slashes: every split counts."""
    if ref := keys.parse_session(name.encode("utf-8", "replace")):
        yield ref
    parts = name.split("/")
    for first in range(1, len(parts) - 1):
        for second in range(first + 1, len(parts)):
            yield SessionRef(
                "/".join(parts[:first]), "/".join(parts[first:second]), "/".join(parts[second:])
            )


def _starting_with(
    by_id: dict[str, list[SessionRef]], ordered: list[str], prefix: str
) -> list[SessionRef]:
    found: list[SessionRef] = []
    if len(prefix) < MIN_PREFIX:
        return found
    for session_id in ordered[bisect_left(ordered, prefix) :]:
        if not session_id.startswith(prefix):
            break
        found += by_id[session_id]
    return found


async def _by_id(server: RedisClient, keys: Keys, pattern: bytes) -> dict[str, list[SessionRef]]:
    by_id: dict[str, list[SessionRef]] = {}
    async for batch in scan_keys(server, pattern):
        for key in batch:
            ref = keys.parse_session(key)
            if ref and ref not in (same := by_id.setdefault(ref.session_id, [])):
                same.append(ref)
    return by_id


async def _existing(server: RedisClient, keys: Keys, refs: Sequence[SessionRef]) -> set[SessionRef]:
    found: set[SessionRef] = set()
    for start in range(0, len(refs), _BATCH):
        batch = refs[start : start + _BATCH]

        async def exist(
            client: Client, attempt: int, batch: Sequence[SessionRef] = batch
        ) -> list[Any]:
            return await scripts.run_all(client, [("EXISTS", keys.session(ref)) for ref in batch])

        answers = await server.call(exist)
        found.update(ref for ref, there in zip(batch, answers, strict=True) if there)
    return found
