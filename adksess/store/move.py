"""Move a session to another user of its app."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adksess.store import scripts
from adksess.store.batches import batched
from adksess.store.connect import Client
from adksess.store.delete import DeleteOperations
from adksess.store.document import Document, decode, encode, find_tail, json_bytes, unreadable
from adksess.store.errors import SessionConflict, WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import MoveResult, PutResult, SessionSummary, StoredValue
from adksess.store.scripts import Argument, ScriptCall
from adksess.store.write import WriteOperations

_ATTEMPTS = 10
_CODES = {0: MoveResult.MISSING, 1: MoveResult.MOVED, 2: MoveResult.EXISTS}
_MISSING, _MOVED, _EARLIER, _FOREIGN, _FAILED = 0, 1, 3, -1, -2
_SESSIONS_PER_CALL = 200


class MoveOperations(DeleteOperations, WriteOperations):
    """The operation that changes the user of a session."""

    async def move(self, ref: SessionRef, user_id: str) -> MoveResult:
        """Move a session to another user of its app; its expiry and last update are kept.

        On a single server in one step: the session has one of the names at any time. On a cluster
        the documents are on different nodes: the session is stored under the new name before the
        old one is deleted, so after a crash it may have both, and moving it again completes the
        move. Raises SessionUnreadable, and SessionConflict if it is appended to constantly.
        """
        target = ref._replace(user_id=user_id)
        if target == ref:
            return MoveResult.EXISTS
        try:
            if self.settings.is_cluster:
                return await self._move_on_cluster(ref, target)
            return await self._move_on_one_server(ref, target)
        except WrongType as exc:
            raise unreadable(ref, "one of its keys is of another type") from exc

    async def move_all(self, refs: Sequence[SessionRef], user_id: str) -> list[MoveResult | None]:
        """Move sessions as move() does, many in one round trip.

        None for a session that has to be moved by itself: a document of another tool, one that
        Redis rejects, and all of them on a cluster.
        """
        results: list[MoveResult | None] = []
        if self.settings.is_cluster:
            return [None] * len(refs)
        for batch in batched(refs, _SESSIONS_PER_CALL):
            codes = await self._move_codes(batch, user_id, return_errors=True)
            results += map(_CODES.get, codes)
        return results

    async def _move_on_one_server(self, ref: SessionRef, target: SessionRef) -> MoveResult:
        (code,) = await self._move_codes([ref], target.user_id)
        if code == _FOREIGN:
            await self._convert(ref)
            (code,) = await self._move_codes([ref], target.user_id)
        if code == _FOREIGN:
            raise unreadable(ref, "it is not a session document")
        return _CODES[code]

    async def _move_codes(
        self, refs: Sequence[SessionRef], user_id: str, *, return_errors: bool = False
    ) -> list[int]:
        """Run move_session.lua for each session; an error is _FAILED with `return_errors`."""
        calls = [self._move_call(ref, ref._replace(user_id=user_id)) for ref in refs]

        async def run(client: Client, attempt: int) -> list[int]:
            answers = await scripts.run_all(client, calls, return_errors=return_errors)
            # an earlier attempt may have moved it and lost its reply
            earlier = _MOVED if attempt > 0 else _MISSING
            codes = {_EARLIER: earlier}
            return [
                _FAILED if isinstance(code, Exception) else codes.get(code, code)
                for code in answers
            ]

        return await self._client.call(run)

    def _move_call(self, ref: SessionRef, target: SessionRef) -> ScriptCall:
        user_index, app_index, apps = self._index_keys(ref)
        keys = [
            self.keys.session(ref),
            self.keys.session(target),
            user_index,
            self.keys.user_sessions(*target.user),
            app_index,
            apps,
        ]
        arguments: list[Argument] = [
            _head(ref),
            _head(target),
            ref.session_id,
            self.keys.app_member(ref),
            self.keys.app_member(target),
            ref.app_name,
        ]
        return ScriptCall(scripts.MOVE_SESSION, keys, arguments)

    async def _move_on_cluster(self, ref: SessionRef, target: SessionRef) -> MoveResult:
        for _ in range(_ATTEMPTS):
            values = await self.values([ref])
            if not values:
                return MoveResult.MISSING
            document = decode(values[0].value, ref)
            if not await self._copy(replace(document, ref=target), values[0].ttl_ms):
                return MoveResult.EXISTS
            deleted = await self.delete_unchanged([_summary(self.keys.session(ref), values[0])])
            if not deleted.kept:
                return MoveResult.MOVED
        raise SessionConflict(f"Session {ref.session_id!r} is appended to constantly: try again.")

    async def _copy(self, document: Document, ttl_ms: int | None) -> bool:
        """Store the session under its new name, over an earlier copy. False if it is another."""
        ref = document.ref
        (result,) = await self.put([StoredValue(ref, encode(document), ttl_ms)])
        if result in (PutResult.STORED, PutResult.SAME):
            return True
        existing: Any = await self.values([ref]) if result is PutResult.EXISTS else ()
        if not existing:
            return False
        copy = decode(existing[0].value, ref)
        count = len(copy.events)
        is_earlier = copy.tail.created_at == document.tail.created_at and (
            list(copy.events) == list(document.events[:count])
        )
        return is_earlier and await self.replace_if_unchanged(existing[0], document)


def _head(ref: SessionRef) -> bytes:
    """The start of a document in our layout."""
    return json_bytes(ref._asdict())[:-1] + b","


def _summary(key: bytes, stored: StoredValue) -> SessionSummary:
    return SessionSummary(
        stored.ref,
        key.decode(),
        decode(stored.value, stored.ref).tail,
        len(stored.value),
        None if stored.ttl_ms is None else stored.ttl_ms / 1000,
        is_foreign=find_tail(stored.value) is None,
    )
