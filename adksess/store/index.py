"""Add existing sessions to the indexes, and mark the recency index as complete."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.errors import WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary
from adksess.store.scripts import Argument, ScriptCall
from adksess.store.write import WriteOperations

_SESSIONS_PER_CALL = 500


class IndexOperations(WriteOperations):
    """Operations that repair the indexes."""

    async def index_sessions(self, sessions: Sequence[SessionSummary]) -> None:
        """Add readable sessions to their users' indexes and their apps' recency indexes.

        A newer entry is kept. A key of another type in place of an index is not changed.
        """
        for batch in batched(sessions, _SESSIONS_PER_CALL):
            calls = [call for session in batch for call in self._index_calls(session)]
            try:
                await self._client.run_all(calls)
            except WrongType:
                for call in calls:
                    with suppress(WrongType):
                        await self._client.run_all([call])

    async def not_indexed(self, refs: Sequence[SessionRef]) -> list[SessionRef]:
        """Return the sessions that are missing from their user's index or their app's."""
        of_users = [("ZSCORE", self.keys.user_sessions(*ref.user), ref.session_id) for ref in refs]
        of_apps = [
            ("ZSCORE", self.keys.app_sessions(ref.app_name), self.keys.app_member(ref))
            for ref in refs
        ]
        scores = await self._scores([*of_users, *of_apps])
        pairs = zip(scores[: len(refs)], scores[len(refs) :], strict=True)
        return [ref for ref, pair in zip(refs, pairs, strict=True) if None in pair]

    async def _scores(self, calls: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """The answers to ZSCORE calls; 0 where the key is of another type."""
        try:
            return await self._client.run_all(calls)
        except WrongType:
            scores: list[Any] = []
            for call in calls:
                try:
                    scores.append(await self._client.command(*call))
                except WrongType:
                    scores.append(0)
            return scores

    async def mark_complete(self) -> None:
        """Note that every session is in the recency index: listings rely on it from now on."""
        seconds, _ = await self._client.command("TIME")
        await self._client.command("SET", self.keys.session_index(), int(seconds))

    def _index_calls(self, session: SessionSummary) -> list[tuple[Argument, ...] | ScriptCall]:
        ref, ttl = session.ref, session.ttl_seconds
        ttl_ms = 0 if ttl is None else max(1, int(ttl * 1000))
        app, second = ref.app_name.encode("utf-8", "replace"), math.floor(session.updated)
        return [
            ScriptCall(
                scripts.INDEX_ADD, [self.keys.user_sessions(*ref.user)], [ttl_ms, ref.session_id]
            ),
            ("SADD", self.keys.session_apps(), app),
            (
                "ZADD",
                self.keys.app_sessions(ref.app_name),
                "GT",
                second,
                self.keys.app_member(ref),
            ),
        ]
