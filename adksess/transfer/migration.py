"""Migrate sessions: write each, read it back and compare it; the source is not changed."""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from adksess.store.document import decode
from adksess.store.errors import AdksessError, InvalidName
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.state import APP, USER
from adksess.store.store import SessionStore
from adksess.transfer.source_session import SkippedSession, SourceSession

EncodeEvent = Callable[[Mapping[str, Any]], bytes]
"""Returns an event as ADK writes it today. Raises ValueError, without content, for an invalid one.
"""

Advance = Callable[[int], None]
"""Called with the number of sessions that were done."""

_MAX_REPORTED = 20


class Outcome(StrEnum):
    """The result for one session."""

    COPIED = "copied"
    CONVERTED = "converted in place"
    EXISTS = "exists already"
    DIFFERS = "a different session of that name exists"


class Receiver(Protocol):
    """A target of a migration."""

    async def receive(
        self, source: SourceSession, lines: Sequence[bytes], *, dry_run: bool
    ) -> Outcome:
        """Store one session, with its events as encoded. Raises MigrationMismatch."""
        ...

    async def receive_state(self, state: StoredState, *, dry_run: bool) -> int:
        """Store state and keep existing values. Returns the number of new ones."""
        ...


class MigrationMismatch(AdksessError):
    """A session differed when it was read back."""


@dataclass
class MigrationReport:
    """What was migrated. `problems` are the first, `failed` counts all."""

    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    events: int = 0
    state_values: int = 0
    failed: int = 0
    problems: list[SkippedSession] = field(default_factory=list)
    apps: set[str] = field(default_factory=set)

    @property
    def sessions(self) -> int:
        """The number of sessions that the source has and that can be migrated."""
        return sum(self.outcomes.values())

    def fail(self, name: str, reason: str) -> None:
        """Count a session that was not migrated."""
        self.failed += 1
        if len(self.problems) < _MAX_REPORTED:
            self.problems.append(SkippedSession(name, reason))


class Migration:
    """A migration to one target. It can be interrupted and repeated."""

    def __init__(self, receiver: Receiver, encode_event: EncodeEvent, *, dry_run: bool) -> None:
        self._receiver = receiver
        self._encode = encode_event
        self._dry_run = dry_run
        self._planned: set[tuple[str, str | None, str]] = set()
        self._shared: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.report = MigrationReport()

    async def sessions(
        self, batches: AsyncIterable[Sequence[SourceSession | SkippedSession]], advance: Advance
    ) -> None:
        """Migrate the sessions of each batch."""
        async for batch in batches:
            for item in batch:
                if isinstance(item, SkippedSession):
                    self.report.fail(item.name, item.reason)
                else:
                    await self._session(item)
                advance(1)

    async def states(self, batches: AsyncIterable[Sequence[StoredState]]) -> None:
        """Migrate states. Existing values are kept."""
        async for batch in batches:
            for state in batch:
                await self._state(state)

    async def shared_states(self) -> None:
        """Migrate the `app:` and `user:` values that were found in sessions only."""
        for (app_name, user_id), values in self._shared.items():
            await self._state(StoredState(app_name, user_id, values))
        self._shared.clear()

    async def _session(self, source: SourceSession) -> None:
        report = self.report
        try:
            lines = [
                self._encode(completed_event(event, number, source))
                for number, event in enumerate(source.events, 1)
            ]
            outcome = await self._receiver.receive(source, lines, dry_run=self._dry_run)
        except (MigrationMismatch, InvalidName, ValueError) as exc:
            report.fail(source.name, str(exc))
            return
        report.apps.add(source.ref.app_name)
        if outcome is Outcome.DIFFERS:
            report.fail(source.name, outcome.value)
            return
        report.outcomes[outcome] += 1
        if outcome is not Outcome.EXISTS:
            report.events += len(lines)
        for scope, owner in ((APP, None), (USER, source.ref.user_id)):
            if values := source.shared_state(scope):
                self._shared.setdefault((source.ref.app_name, owner), {}).update(values)

    async def _state(self, state: StoredState) -> None:
        if self._dry_run:  # a value in several layouts is counted once
            owner = (state.app_name, state.user_id)
            values = {k: v for k, v in state.state.items() if (*owner, k) not in self._planned}
            self._planned.update((*owner, key) for key in values)
            state = StoredState(*owner, values)
        new = await self._receiver.receive_state(state, dry_run=self._dry_run)
        self.report.state_values += new


async def copy_documents(
    target: SessionStore,
    batches: AsyncIterable[Sequence[StoredValue]],
    report: MigrationReport,
    *,
    ttl: int | None,
    dry_run: bool,
    advance: Advance,
) -> None:
    """Copy documents of adksess unchanged from one Redis, or one prefix, to another.

    `ttl` in seconds (0 for never) replaces their expiry.
    """
    async for batch in batches:
        items = [
            item if ttl is None else replace(item, ttl_ms=ttl * 1000 or None) for item in batch
        ]
        if dry_run:
            existing = {v.ref: v.value for v in await target.values([item.ref for item in items])}
            results = [
                compared(existing.get(item.ref), item.value, replace=False) for item in items
            ]
        else:
            results = await target.put(items)
            for position, result in enumerate(results):
                if result is PutResult.FAILED:
                    (results[position],) = await target.put([items[position]])
        for item, result in zip(items, results, strict=True):
            report.apps.add(item.ref.app_name)
            if result in (PutResult.EXISTS, PutResult.WRONG_TYPE):
                report.fail(item.ref.path, Outcome.DIFFERS.value)
                continue
            is_new = result is PutResult.STORED
            report.outcomes[Outcome.COPIED if is_new else Outcome.EXISTS] += 1
            if is_new:
                report.events += decode(item.value, item.ref).tail.event_count
        advance(len(items))


def completed_event(
    event: Mapping[str, Any], number: int, source: SourceSession
) -> Mapping[str, Any]:
    """Return the event with an id and a time: if missing, ADK makes new ones at every read."""
    missing: dict[str, Any] = {}
    if not event.get("id"):
        missing["id"] = str(uuid5(NAMESPACE_URL, f"adksess:{source.ref.path}/{number}"))
    if event.get("timestamp") is None:
        missing["timestamp"] = source.created or source.last_update_time or 0.0
    return {**event, **missing} if missing else event
