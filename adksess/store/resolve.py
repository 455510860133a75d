"""Resolve what people type to sessions: ids, prefixes of ids, app/user/id, or whole keys."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from adksess.store.batches import batched
from adksess.store.keys import MIN_PREFIX, SessionRef, UserRef
from adksess.store.recency import SMALL
from adksess.store.scan import ScanOperations, scan_keys

_NAMES_PER_CALL = 500


class ResolveOperations(ScanOperations):
    """Operations that look up sessions by what people type."""

    async def find(self, names: Sequence[str], *, exact: bool = False) -> list[list[SessionRef]]:
        """Return for each name the sessions that it may mean: none, one, or several.

        A name is a whole key, app/user/id, an id, or a prefix of an id (MIN_PREFIX characters or
        more, not with `exact`); the first of these that matches an existing session counts. Any
        number of names costs at most one pass over the keys.
        """
        spelled = [list(self._spelled_out(name)) for name in names]
        existing = await self._existing([ref for refs in spelled for ref in refs])
        answers = [[ref for ref in refs if ref in existing] for refs in spelled]
        open_names = [name for name, refs in zip(names, answers, strict=True) if not refs]
        if open_names:
            by_id = await self._by_id(open_names, exact=exact)
            ordered = sorted(by_id)
            for name, refs in zip(names, answers, strict=True):
                if not refs:
                    matches = [] if exact else _starting_with(by_id, ordered, name)
                    refs += by_id.get(name) or matches
        return answers

    async def expired(self, session_id: str) -> list[tuple[UserRef, float]]:
        """Return users whose index holds an id that has expired, and when (Unix seconds).

        An index entry is removed some time after its session expired, so this is a hint. None of
        a large database, where reading every user's index takes seconds.
        """
        found: list[tuple[UserRef, float]] = []
        if await self.key_count() > SMALL:
            return found
        seconds, _ = await self._client.command("TIME")
        pattern = self.keys.user_sessions_pattern()
        async for batch in scan_keys(self._client, pattern, kind="zset"):
            users = {key: user for key in batch if (user := self.keys.parse_user_sessions(key))}
            scores = await self._client.run_all([("ZSCORE", key, session_id) for key in users])
            found += [
                (user, score)
                for user, score in zip(users.values(), scores, strict=True)
                if score is not None and 0 < score < int(seconds)
            ]
        return found

    def _spelled_out(self, name: str) -> Iterator[SessionRef]:
        """The sessions that a name spells out. Names may hold slashes: every split counts."""
        if ref := self.keys.read_session(name):
            yield ref
        parts = name.split("/")
        for first in range(1, len(parts) - 1):
            for second in range(first + 1, len(parts)):
                yield SessionRef(
                    "/".join(parts[:first]), "/".join(parts[first:second]), "/".join(parts[second:])
                )

    async def _by_id(self, names: Sequence[str], *, exact: bool) -> dict[str, list[SessionRef]]:
        """The sessions whose id is one of the names, or starts with one unless `exact`."""
        pattern = (
            self.keys.session_id_pattern(names[0])
            if len(names) == 1
            else self.keys.sessions_pattern()
        )
        wanted = set(names)
        lengths = set() if exact else {len(name) for name in names}
        by_id: dict[str, list[SessionRef]] = {}
        async for batch in scan_keys(self._client, pattern):
            for key in batch:
                ref = self.keys.parse_session(key)
                if ref is None:
                    continue
                one = ref.session_id
                if one in wanted or any(one[:length] in wanted for length in lengths):
                    same = by_id.setdefault(one, [])
                    if ref not in same:
                        same.append(ref)
        return by_id

    async def _existing(self, refs: Sequence[SessionRef]) -> set[SessionRef]:
        existing: set[SessionRef] = set()
        for batch in batched(refs, _NAMES_PER_CALL):
            answers = await self._client.run_all(
                [("EXISTS", self.keys.session(ref)) for ref in batch]
            )
            existing.update(ref for ref, exists in zip(batch, answers, strict=True) if exists)
        return existing


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
