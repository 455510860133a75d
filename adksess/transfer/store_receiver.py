"""A Redis with sessions of adksess as the target of a migration."""

from collections.abc import Sequence

from adksess.conversation.titles import first_message
from adksess.store.document import (
    Document,
    Tail,
    decode,
    encode,
    find_tail,
    iso_time,
    parse_json,
)
from adksess.store.models import PutResult, StoredState, StoredValue
from adksess.store.store import SessionStore
from adksess.transfer.migration import EncodeEvent, MigrationMismatch, Outcome
from adksess.transfer.source_session import SourceSession

_ATTEMPTS = 5


class StoreReceiver:
    """Stores migrated sessions. `ttl` in seconds (0 for never) replaces the expiry they had."""

    def __init__(self, store: SessionStore, encode_event: EncodeEvent, ttl: int | None) -> None:
        self._store = store
        self._encode = encode_event
        self._ttl = ttl

    async def receive(
        self, source: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Write a session, unless it exists; then read it and compare."""
        document = new_document(source, lines)
        ttl_ms = source.ttl_ms if self._ttl is None else self._ttl * 1000 or None
        item = StoredValue(source.ref, encode(document), ttl_ms)
        for _ in range(_ATTEMPTS):
            stored = await self._store.values([source.ref])
            if not stored:
                if dry_run:
                    return Outcome.COPIED
                (result,) = await self._store.put([item])
                if result is PutResult.EXISTS:
                    continue  # created meanwhile
                if result is PutResult.WRONG_TYPE:
                    return Outcome.DIFFERS
                return await self._verified(source, document, Outcome.COPIED)
            outcome = self._compare(stored[0], source, document)
            if dry_run or outcome in (Outcome.EXISTS, Outcome.DIFFERS):
                return outcome
            if await self._store.replace_if_unchanged(stored[0], document):
                await self._index(source)
                return await self._verified(source, document, outcome)
        raise MigrationMismatch("it is written to constantly: stop the tool that writes it")

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Write the values that do not exist yet. Returns their number."""
        if not dry_run:
            results = await self._store.put_state(state)
            return sum(result is PutResult.STORED for result in results.values())
        stored = await self._store.state_of([(state.app_name, state.user_id)])
        existing = stored[0].state if stored else {}
        return sum(key not in existing for key in state.state)

    def _compare(self, stored: StoredValue, source: SourceSession, document: Document) -> Outcome:
        """Return what to do with a session that exists: nothing, convert it, or add its events."""
        if stored.value == source.raw:
            return Outcome.CONVERTED
        if find_tail(stored.value) is None:
            return Outcome.DIFFERS
        old = [self._encode(parse_json(line)) for line in decode(stored.value, stored.ref).events]
        new = list(document.events)
        if old[: len(new)] == new:
            return Outcome.EXISTS  # it may have been continued since
        # only the source has new events since the last migration
        return Outcome.COPIED if new[: len(old)] == old else Outcome.DIFFERS

    async def _index(self, source: SourceSession) -> None:
        """Index a session whose document was replaced, and set its expiry where one is given."""
        if self._ttl is not None:
            await self._store.set_expiry(source.ref, self._ttl)
            return
        for summary in await self._store.summaries([source.ref]):
            await self._store.index_sessions([summary])

    async def _verified(
        self, source: SourceSession, document: Document, outcome: Outcome
    ) -> Outcome:
        """Return the outcome, after every event was compared with what is stored."""
        stored = await self._store.values([source.ref])
        if not stored:
            return outcome  # it has expired meanwhile
        back = decode(stored[0].value, source.ref)
        for number, line in enumerate(document.events):
            if number >= len(back.events):
                raise MigrationMismatch(f"event {number + 1} is missing after the copy")
            if self._encode(parse_json(back.events[number])) != line:
                raise MigrationMismatch(f"event {number + 1} is not the same after the copy")
        if len(back.events) == len(document.events) and back.tail.state != document.tail.state:
            raise MigrationMismatch("its state is not the same after the copy")
        return outcome


def new_document(source: SourceSession, lines: Sequence[bytes]) -> Document:
    """Return the document of a session that another tool stored, its events as encoded."""
    times = [float(parse_json(line)["timestamp"]) for line in lines]
    updated = source.last_update_time
    if updated is None:
        updated = times[-1] if times else source.created or 0.0
    created = source.created if source.created is not None else times[0] if times else updated
    tail = Tail(
        state=source.own_state,
        event_count=len(lines),
        created_at=iso_time(created),
        updated_at=iso_time(updated),
        last_update_time=updated,
        newest_event_time=max(times, default=0.0),
        title=first_message(parse_json(line) for line in lines),
    )
    return Document(source.ref, tail, list(lines))
