"""Taking sessions over: written, read back, compared event by event, the source left as it is."""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from adksess.store.document import Document, Tail, decode, encode, find_tail, iso_time, parse_json
from adksess.store.errors import AdksessError, InvalidName
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.state import APP, USER
from adksess.store.store import SessionStore
from adksess.transfer.source_session import SkippedSession, SourceSession

EncodeEvent = Callable[[Mapping[str, Any]], bytes]
"""An event as ADK writes it today. Raises ValueError, without content, for one it refuses."""

_NAMED = 20
_TRIES = 5


class Outcome(StrEnum):
    """What came of one session."""

    COPIED = "copied"
    REFRAMED = "laid out anew in place"
    THERE = "there already"
    DIFFERS = "another session of that name is there"


class Receiver(Protocol):
    """Where sessions are taken to."""

    async def receive(
        self, found: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Take one session, its events as encoded. Raises MigrationMismatch."""
        ...

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Take the state of an app or a user. Returns how many values are new there."""
        ...


class MigrationMismatch(AdksessError):
    """A session was not the same when it was read back."""


@dataclass
class MigrationReport:
    """What came of all of them. `problems` are the first, `failed` counts all."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    events: int = 0
    state_values: int = 0
    failed: int = 0
    problems: list[SkippedSession] = field(default_factory=list)
    apps: set[str] = field(default_factory=set)

    def fail(self, name: str, why: str) -> None:
        """Count a session that was not taken over."""
        self.failed += 1
        if len(self.problems) < _NAMED:
            self.problems.append(SkippedSession(name, why))


class Migration:
    """A migration under way. Safe to interrupt and to repeat."""

    def __init__(self, receiver: Receiver, encode_event: EncodeEvent, *, dry_run: bool) -> None:
        self._receiver = receiver
        self._encode = encode_event
        self._dry_run = dry_run
        self._promised: set[tuple[str, str | None, str]] = set()
        self._left_over: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.taken = MigrationReport()

    async def sessions(
        self,
        batches: AsyncIterable[Sequence[SourceSession | SkippedSession]],
        advance: Callable[[int], None],
    ) -> None:
        """Take the sessions of each batch."""
        async for batch in batches:
            for item in batch:
                if isinstance(item, SkippedSession):
                    self.taken.fail(item.name, item.why)
                else:
                    await self._session(item)
                advance(1)

    async def states(self, batches: AsyncIterable[Sequence[StoredState]]) -> None:
        """Take states. A value that is there already stays."""
        async for batch in batches:
            for state in batch:
                await self._state(state)

    async def left_over_states(self) -> None:
        """Take the `app:` and `user:` values that stood in sessions and nowhere else."""
        for (app_name, user_id), values in self._left_over.items():
            await self._state(StoredState(app_name, user_id, values))
        self._left_over.clear()

    async def _session(self, found: SourceSession) -> None:
        try:
            lines = [
                self._encode(_completed(event, number, found))
                for number, event in enumerate(found.events, 1)
            ]
            outcome = await self._receiver.receive(found, lines, dry_run=self._dry_run)
        except (MigrationMismatch, InvalidName, ValueError) as exc:
            self.taken.fail(found.name, str(exc))
            return
        self.taken.apps.add(found.ref.app_name)
        if outcome is Outcome.DIFFERS:
            self.taken.fail(found.name, outcome.value)
            return
        self.taken.outcomes[outcome] += 1
        if outcome is not Outcome.THERE:
            self.taken.events += len(lines)
        for scope, owner in ((APP, None), (USER, found.ref.user_id)):
            if values := found.shared_state(scope):
                self._left_over.setdefault((found.ref.app_name, owner), {}).update(values)

    async def _state(self, state: StoredState) -> None:
        if self._dry_run:  # what one layout would have brought, the next finds there
            owner = (state.app_name, state.user_id)
            values = {k: v for k, v in state.state.items() if (*owner, k) not in self._promised}
            self._promised.update((*owner, key) for key in values)
            state = StoredState(*owner, values)
        new = await self._receiver.receive_state(state, dry_run=self._dry_run)
        self.taken.state_values += new


class StoreReceiver:
    """Takes sessions into our own store. `ttl` (0 for ever) replaces the expiry they had."""

    def __init__(self, store: SessionStore, encode_event: EncodeEvent, ttl: int | None) -> None:
        self._store = store
        self._encode = encode_event
        self._ttl = ttl

    async def receive(
        self, found: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Write the session, unless it is there; then read it and compare."""
        document = _document(found, lines)
        ttl_ms = found.ttl_ms if self._ttl is None else self._ttl * 1000 or None
        item = StoredValue(found.ref, encode(document), ttl_ms)
        for _ in range(_TRIES):
            there = await self._store.values([found.ref])
            if not there:
                if dry_run:
                    return Outcome.COPIED
                (put,) = await self._store.put([item])
                if put is PutResult.EXISTS:
                    continue  # created meanwhile
                if put is PutResult.WRONG_TYPE:
                    return Outcome.DIFFERS
                return await self._compared(found, document, Outcome.COPIED)
            outcome = self._outcome(there[0], found, document)
            if dry_run or outcome in (Outcome.THERE, Outcome.DIFFERS):
                return outcome
            if await self._store.replace_if_unchanged(there[0], document):
                await self._settle(found, ttl_ms)
                return await self._compared(found, document, outcome)
        raise MigrationMismatch("it is being written all the time: stop the tool that writes it")

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Write the values that are not there."""
        if not dry_run:
            outcomes = await self._store.put_state(state)
            return sum(outcome is PutResult.STORED for outcome in outcomes.values())
        found = await self._store.state_of([(state.app_name, state.user_id)])
        there = found[0].state if found else {}
        return sum(key not in there for key in state.state)

    def _outcome(self, there: StoredValue, found: SourceSession, document: Document) -> Outcome:
        """What to do with a session that is there: nothing, lay it out anew, or go on copying."""
        if there.value == found.raw:
            return Outcome.REFRAMED
        if find_tail(there.value) is None:
            return Outcome.DIFFERS
        ours = [self._encode(parse_json(line)) for line in decode(there.value, there.ref).events]
        theirs = list(document.events)
        if ours[: len(theirs)] == theirs:
            return Outcome.THERE  # perhaps continued since
        # the source went on since the last migration, and here nobody did
        return Outcome.COPIED if theirs[: len(ours)] == ours else Outcome.DIFFERS

    async def _settle(self, found: SourceSession, ttl_ms: int | None) -> None:
        """Enter a session that was there in the index, with the expiry that was asked for."""
        if self._ttl is not None:
            await self._store.set_expiry(found.ref, self._ttl)
            return
        for summary in await self._store.summaries([found.ref]):
            await self._store.index_session(summary)

    async def _compared(
        self, found: SourceSession, document: Document, outcome: Outcome
    ) -> Outcome:
        """The outcome, after every event was compared with what was read back."""
        stored = await self._store.values([found.ref])
        if not stored:
            return outcome  # it had a moment to live, and has expired
        back = decode(stored[0].value, found.ref)
        for number, line in enumerate(document.events):
            if number >= len(back.events):
                raise MigrationMismatch(f"event {number + 1} is missing after the copy")
            if self._encode(parse_json(back.events[number])) != line:
                raise MigrationMismatch(f"event {number + 1} is not the same after the copy")
        if len(back.events) == len(document.events) and back.tail.state != document.tail.state:
            raise MigrationMismatch("its state is not the same after the copy")
        return outcome


def _document(found: SourceSession, lines: Sequence[bytes]) -> Document:
    times = [float(parse_json(line)["timestamp"]) for line in lines]
    updated = found.last_update_time
    if updated is None:
        updated = times[-1] if times else found.created or 0.0
    created = found.created if found.created is not None else times[0] if times else updated
    tail = Tail(
        state=found.own_state,
        event_count=len(lines),
        created_at=iso_time(created),
        updated_at=iso_time(updated),
        last_update_time=updated,
        newest_event_time=max(times, default=0.0),
    )
    return Document(found.ref, tail, list(lines))


def _completed(event: Mapping[str, Any], number: int, found: SourceSession) -> Mapping[str, Any]:
    """The event with an id and a time: ADK makes up new ones at every reading where they lack."""
    missing: dict[str, Any] = {}
    if not event.get("id"):
        missing["id"] = str(uuid5(NAMESPACE_URL, f"adksess:{'/'.join(found.ref)}/{number}"))
    if event.get("timestamp") is None:
        missing["timestamp"] = found.created or found.last_update_time or 0.0
    return {**event, **missing} if missing else event


async def copy_store(
    target: SessionStore,
    batches: AsyncIterable[Sequence[StoredValue]],
    taken: MigrationReport,
    *,
    ttl: int | None,
    dry_run: bool,
    advance: Callable[[int], None],
) -> None:
    """Copy our own documents as they are from one Redis, or one prefix, to another."""
    async for batch in batches:
        items = [
            item if ttl is None else replace(item, ttl_ms=ttl * 1000 or None) for item in batch
        ]
        if dry_run:
            stored = await target.values([item.ref for item in items])
            there = {other.ref: other.value for other in stored}
            outcomes = [compared(there.get(item.ref), item.value, replace=False) for item in items]
        else:
            outcomes = await target.put(items)
        for item, outcome in zip(items, outcomes, strict=True):
            name = "/".join(item.ref)
            taken.apps.add(item.ref.app_name)
            if outcome in (PutResult.EXISTS, PutResult.WRONG_TYPE):
                taken.fail(name, Outcome.DIFFERS.value)
                continue
            is_new = outcome is PutResult.STORED
            taken.outcomes[Outcome.COPIED if is_new else Outcome.THERE] += 1
            taken.events += decode(item.value, item.ref).tail.event_count if is_new else 0
        advance(len(items))
