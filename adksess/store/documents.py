"""Whole documents and whole states: for backups, migrations and trims."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from adksess.store import scripts
from adksess.store.connect import Client
from adksess.store.document import (
    Document,
    find_tail,
    json_bytes,
    splice,
    tail_of,
    unreadable,
    updated_second,
)
from adksess.store.errors import WrongType
from adksess.store.indexes import NEVER
from adksess.store.keys import SessionRef
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.read import decode_state
from adksess.store.scan import ScanOperations, scan_keys
from adksess.store.scripts import Argument, ScriptCall

_EXPIRED = -2  # what PTTL returns for a missing key


class DocumentOperations(ScanOperations):
    """Operations that read and write whole documents and states."""

    async def values(self, refs: Sequence[SessionRef]) -> list[StoredValue]:
        """Return the documents as stored, with their expiry, of the sessions that exist."""
        keys = [self.keys.session(ref) for ref in refs]
        lengths = await self._client.run_all([("STRLEN", key) for key in keys])
        values = await self._client.run_all([("GET", key) for key in keys], payload=sum(lengths))
        # A reply of its own: hiredis keeps a copy of a large value until the next one arrives.
        ttls = await self._client.run_all([("PTTL", key) for key in keys])
        return [
            StoredValue(ref, value, None if ttl < 0 else ttl)
            for ref, value, ttl in zip(refs, values, ttls, strict=True)
            if value is not None and ttl != _EXPIRED
        ]

    async def put(self, items: Sequence[StoredValue], *, replace: bool = False) -> list[PutResult]:
        """Store documents and index them, in one round trip.

        A different document is kept unless `replace`. Repeating an interrupted call is safe. Of
        several items those that Redis rejects are FAILED: put one by itself for the error. Raises
        SessionUnreadable for a value that is not a session, or a key of another type.
        """
        calls = [self._put_call(item, replace=replace) for item in items]

        async def run(client: Client, attempt: int) -> list[Any]:
            if self.settings.is_cluster:
                await self._index_new(client, items)
            answers = await scripts.run_all(client, calls, return_errors=True)
            answers = [PutResult.FAILED if isinstance(a, Exception) else a for a in answers]
            if self.settings.is_cluster:  # the indexes are on other nodes
                for item, answer in zip(items, answers, strict=True):
                    if answer > PutResult.EXISTS:
                        await self._index_value(client, item)
            return answers

        if not items:
            return []
        try:
            answers = await self._client.call(run, payload=sum(len(one.value) for one in items))
        except WrongType as exc:
            raise unreadable(items[0].ref, "one of its keys is of another type") from exc
        return [PutResult(answer) for answer in answers]

    async def replace_if_unchanged(self, before: StoredValue, after: Document) -> bool:
        """Replace a document, keeping its expiry, and index it.

        False if it changed since it was read: its length and its tail are compared, which holds
        the time of the last update. Raises SessionUnreadable for a key of another type.
        """
        ref, second = before.ref, updated_second(after.tail)
        old_tail = before.value[find_tail(before.value) or 0 :]
        new = splice(before.value, after)
        arguments = [len(before.value), old_tail, *new, *self._names(ref), second]

        async def run(client: Client, attempt: int) -> bool:
            code, left = await scripts.REPLACE_DOCUMENT.run(
                client, self._document_keys(ref), *arguments
            )
            # an earlier attempt may have replaced it and lost its reply
            is_done = code == 1 or (code == 2 and attempt > 0)
            if is_done and self.settings.is_cluster:
                await self._index_on_cluster(client, ref, left, second, keep_newer=False)
            return is_done

        try:
            return await self._client.call(run, payload=len(before.value) + new.size)
        except WrongType as exc:
            raise unreadable(ref, "one of its keys is of another type") from exc

    async def all_states(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[list[StoredState]]:
        """Yield the state of all apps and users, of an app and its users, or of one user."""
        if user_id is None:
            async for batch in scan_keys(self._client, self.keys.app_state_pattern()):
                apps = dict.fromkeys(map(self.keys.parse_app_state, batch))
                names = [(app, None) for app in apps if app is not None and app_name in (None, app)]
                yield await self.state_of(names)
        async for batch in scan_keys(self._client, self.keys.user_state_pattern(app_name)):
            users = dict.fromkeys(map(self.keys.parse_user_state, batch))
            yield await self.state_of(
                [
                    user
                    for user in users
                    if user
                    and app_name in (None, user.app_name)
                    and user_id in (None, user.user_id)
                ]
            )

    async def state_of(self, names: Sequence[tuple[str, str | None]]) -> list[StoredState]:
        """Return the states of apps (user None) and users that have any."""
        keys = [self._state_key(*name) for name in names]
        types = await self._client.run_all([("TYPE", key) for key in keys])
        hashes = {
            name: key for name, key, kind in zip(names, keys, types, strict=True) if kind == b"hash"
        }
        found = await self._client.run_all([("HGETALL", key) for key in hashes.values()])
        return [
            StoredState(app, user, decode_state(fields))
            for (app, user), fields in zip(hashes, found, strict=True)
            if fields
        ]

    async def put_state(self, item: StoredState, *, replace: bool = False) -> dict[str, PutResult]:
        """Write the fields of a state, and return the result of each.

        A field with a different value is kept unless `replace`; other fields are not changed.
        """
        key = self._state_key(item.app_name, item.user_id)
        fields = {
            name.encode("utf-8", "surrogatepass"): json_bytes(value)
            for name, value in item.state.items()
        }
        command = "HSET" if replace else "HSETNX"  # a value that was set in the meantime is kept

        async def run(client: Client, attempt: int) -> list[Any]:
            before = await scripts.run_all(client, [("HGET", key, field) for field in fields])
            await scripts.run_all(client, [(command, key, *pair) for pair in fields.items()])
            return before

        if not fields:
            return {}
        return {
            name: compared(before, after, replace=replace)
            for name, after, before in zip(
                item.state, fields.values(), await self._client.call(run), strict=True
            )
        }

    async def unset_state(self, app_name: str, user_id: str | None, names: Sequence[str]) -> int:
        """Remove values from the state of an app (user None) or a user. Returns how many."""
        fields = [name.encode("utf-8", "surrogatepass") for name in names]
        removed: int = await self._client.command(
            "HDEL", self._state_key(app_name, user_id), *fields
        )
        return removed

    def _put_call(self, item: StoredValue, *, replace: bool) -> ScriptCall:
        ttl_ms = 0 if item.ttl_ms is None else max(1, item.ttl_ms)
        second = updated_second(tail_of(item.value, item.ref))
        return ScriptCall(
            scripts.PUT_DOCUMENT,
            self._document_keys(item.ref),
            [item.value, ttl_ms, *self._names(item.ref), second, int(replace)],
        )

    async def _index_new(self, client: Client, items: Sequence[StoredValue]) -> None:
        """Index documents on a cluster that are not stored yet: an entry comes before its document.

        The entry has the present time, so that no reader removes it meanwhile.
        """
        exists = await scripts.run_all(
            client, [("EXISTS", self.keys.session(i.ref)) for i in items]
        )
        for item, is_stored in zip(items, exists, strict=True):
            if not is_stored:
                await self._index_on_cluster(client, item.ref, item.ttl_ms or NEVER)

    async def _index_value(self, client: Client, item: StoredValue) -> None:
        """Index a document on a cluster, with the expiry that it has."""
        left = await scripts.execute(client, "PTTL", self.keys.session(item.ref))
        second = updated_second(tail_of(item.value, item.ref))
        if left != _EXPIRED:
            await self._index_on_cluster(client, item.ref, left, second, keep_newer=False)

    def _document_keys(self, ref: SessionRef) -> list[bytes]:
        """The keys that a script which writes a document needs."""
        document = self.keys.session(ref)
        return [document] if self.settings.is_cluster else [document, *self._index_keys(ref)]

    def _names(self, ref: SessionRef) -> list[Argument]:
        """Session id, member of the app index and app name, as the scripts take them."""
        return [ref.session_id, self.keys.app_member(ref), ref.app_name]

    def _state_key(self, app_name: str, user_id: str | None) -> bytes:
        if user_id is None:
            return self.keys.app_state(app_name)
        return self.keys.user_state(app_name, user_id)
