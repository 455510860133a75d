"""Putting records back, each one validated before it is written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from adksess.store.document import json_bytes
from adksess.store.errors import InvalidName, SessionUnreadable, WrongType
from adksess.store.keys import SessionRef
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.store import SessionStore
from adksess.transfer.import_options import ImportOptions, OnConflict
from adksess.transfer.ndjson import InvalidRecord, SessionRecord, read_line, renamed

_BATCH = 200
_BATCH_BYTES = 4_000_000
_NAMED = 20
_UNFIT = "its key in Redis holds something that is not a session"


@dataclass(frozen=True)
class RejectedLine:
    """A line that was not imported, and why, in words that do not repeat it."""

    line: int
    why: str


@dataclass
class Imported:
    """What came of the lines. `troubles` and `conflicts` name the first, the numbers count all."""

    sessions: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    expired: int = 0
    state_keys: int = 0
    state_keys_skipped: int = 0
    refused: int = 0
    troubles: list[RejectedLine] = field(default_factory=list)
    conflicts: list[tuple[int, str]] = field(default_factory=list)

    def refuse(self, line: int, why: str) -> None:
        """Count a line that is not imported."""
        self.refused += 1
        if len(self.troubles) < _NAMED:
            self.troubles.append(RejectedLine(line, why))


@dataclass(frozen=True)
class _Line:
    number: int
    item: StoredValue


async def import_lines(
    store: SessionStore,
    lines: Iterable[tuple[int, bytes]],
    plan: ImportOptions,
    advance: Callable[[int], None],
) -> Imported:
    """Import numbered lines; with `dry_run` only find out what would come of them."""
    done = Imported()
    for batch in _batches(lines, plan, done, advance):
        if isinstance(batch, StoredState):
            await _state(store, batch, plan, done)
        else:
            _count(done, batch, await _put(store, batch, plan, done))
    return done


def _batches(
    lines: Iterable[tuple[int, bytes]],
    plan: ImportOptions,
    done: Imported,
    advance: Callable[[int], None],
) -> Iterator[list[_Line] | StoredState]:
    """Sessions by the batch, states one by one. The lines that are no use are counted here."""
    batch: list[_Line] = []
    size = 0
    for number, line in lines:
        advance(1)
        try:
            record = renamed(read_line(line), plan.rename_apps)
        except InvalidRecord as exc:
            done.refuse(number, str(exc))
            continue
        except InvalidName:
            done.refuse(number, "its names are not Unicode")
            continue
        if isinstance(record, StoredState):
            yield record
            continue
        item = _item(record, plan, done)
        if item is None:
            continue
        batch.append(_Line(number, item))
        size += len(item.value)
        if len(batch) >= _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _item(record: SessionRecord, plan: ImportOptions, done: Imported) -> StoredValue | None:
    item = record.stored(plan.ttl)
    if item is None:
        done.expired += 1
    return item


async def _put(
    store: SessionStore, batch: Sequence[_Line], plan: ImportOptions, done: Imported
) -> list[PutResult | None]:
    replace = plan.on_conflict is OnConflict.REPLACE
    items = [line.item for line in batch]
    try:
        if plan.dry_run:
            return await _compare(store, items, replace=replace)
        return list(await store.put(items, replace=replace))
    except (SessionUnreadable, WrongType):
        pass  # one key of the batch: find out which
    outcomes: list[PutResult | None] = []
    for line in batch:
        try:
            outcomes += (
                await _compare(store, [line.item], replace=replace)
                if plan.dry_run
                else await store.put([line.item], replace=replace)
            )
        except (SessionUnreadable, WrongType):
            done.refuse(line.number, _UNFIT)
            outcomes.append(None)
    return outcomes


async def _compare(
    store: SessionStore, items: Sequence[StoredValue], *, replace: bool
) -> list[PutResult | None]:
    there: dict[SessionRef, bytes] = {
        stored.ref: stored.value for stored in await store.values([item.ref for item in items])
    }
    outcomes: list[PutResult | None] = []
    for item in items:
        outcomes.append(compared(there.get(item.ref), item.value, replace=replace))
        there.setdefault(item.ref, item.value)  # a line may come twice
    return outcomes


def _count(done: Imported, batch: Sequence[_Line], outcomes: Sequence[PutResult | None]) -> None:
    for line, outcome in zip(batch, outcomes, strict=True):
        if outcome is PutResult.STORED:
            done.sessions += 1
        elif outcome is PutResult.REPLACED:
            done.replaced += 1
        elif outcome is PutResult.SAME:
            done.unchanged += 1
        elif outcome is PutResult.WRONG_TYPE:
            done.refuse(line.number, _UNFIT)
        elif outcome is PutResult.EXISTS:
            done.skipped += 1
            if len(done.conflicts) < _NAMED:
                done.conflicts.append((line.number, "/".join(line.item.ref)))


async def _state(
    store: SessionStore, item: StoredState, plan: ImportOptions, done: Imported
) -> None:
    replace = plan.on_conflict is OnConflict.REPLACE
    if plan.dry_run:
        found = await store.state_of([(item.app_name, item.user_id)])
        there = found[0].state if found else {}
        outcomes = {
            name: compared(
                json_bytes(there[name]) if name in there else None,
                json_bytes(value),
                replace=replace,
            )
            for name, value in item.state.items()
        }
    else:
        outcomes = await store.put_state(item, replace=replace)
    taken = sum(outcome is PutResult.EXISTS for outcome in outcomes.values())
    done.state_keys += sum(
        outcome in (PutResult.STORED, PutResult.REPLACED) for outcome in outcomes.values()
    )
    done.state_keys_skipped += taken
