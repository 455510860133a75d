"""Import records: validated sessions and states, a batch at a time."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from adksess.store.document import json_bytes
from adksess.store.errors import InvalidName, SessionUnreadable, WrongType
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.store import SessionStore
from adksess.transfer.import_options import ImportOptions, OnConflict
from adksess.transfer.ndjson import InvalidRecord, Record, renamed, same_session

_BATCH = 200
_BATCH_BYTES = 4_000_000
_MAX_REPORTED = 20
_WRONG_TYPE = "its key in Redis holds something that is not a session"


@dataclass(frozen=True)
class Rejection:
    """A record that was not imported: where it was read, and why, without its content."""

    where: str
    reason: str


@dataclass
class ImportReport:
    """What was imported. `rejections` and `conflicts` are the first, the numbers count all.

    `read` counts the records that were read. A conflict is a place in the input and the session
    that exists with different content.
    """

    read: int = 0
    sessions: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    expired: int = 0
    state_keys: int = 0
    state_keys_skipped: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    conflicts: list[tuple[str, str]] = field(default_factory=list)

    def reject(self, where: str, reason: str) -> None:
        """Count a record that is not imported."""
        self.rejected += 1
        if len(self.rejections) < _MAX_REPORTED:
            self.rejections.append(Rejection(where, reason))


Entry = tuple[str, Record | InvalidRecord]
"""A record, or why there is none, and where it was read, such as "line 7"."""


@dataclass(frozen=True)
class _Item:
    where: str
    value: StoredValue


async def import_records(
    store: SessionStore,
    entries: Iterable[Entry],
    options: ImportOptions,
    report: ImportReport,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Import records and count them in `report`; with `dry_run` only count.

    When reading the entries fails, those before are imported, then the error is raised.
    """
    batch: list[_Item] = []
    try:
        for where, entry in entries:
            report.read += 1
            advance(1)
            accepted = _accepted(where, entry, options, report)
            del entry  # a session may have hundreds of megabytes
            if isinstance(accepted, StoredState):
                await _put_state(store, accepted, options, report)
            elif accepted is not None:
                batch.append(accepted)
            if len(batch) >= _BATCH or _size(batch) > _BATCH_BYTES:
                full, batch = batch, []
                await _put_batch(store, full, options, report)
    finally:
        await _put_batch(store, batch, options, report)


def _accepted(
    where: str, entry: Record | InvalidRecord, options: ImportOptions, report: ImportReport
) -> StoredState | _Item | None:
    """Return what to store of an entry; None, after counting it, if that is nothing."""
    if isinstance(entry, InvalidRecord):
        report.reject(where, str(entry))
        return None
    record = renamed(entry, options.rename_apps, options.rename_users)
    if isinstance(record, StoredState):
        return record
    value = record.stored(options.ttl)
    if value is None:
        report.expired += 1
        return None
    return _Item(where, value)


def _size(batch: Sequence[_Item]) -> int:
    return sum(len(item.value.value) for item in batch)


async def _put_batch(
    store: SessionStore, batch: Sequence[_Item], options: ImportOptions, report: ImportReport
) -> None:
    """Store sessions. Those that fail are stored again one by one, to learn the reason.

    Raises the error of a server that rejects writes, after the others have been counted.
    """
    if not batch:
        return
    results: Sequence[PutResult] = [PutResult.FAILED] * len(batch)
    with suppress(InvalidName, SessionUnreadable, WrongType):
        results = await _put(store, batch, options)
    _count(report, batch, results)
    for item, result in zip(batch, results, strict=True):
        if result is PutResult.FAILED:
            try:
                _count(report, [item], await _put(store, [item], options))
            except InvalidName:
                report.reject(item.where, "its names are not Unicode")
            except (SessionUnreadable, WrongType):
                report.reject(item.where, _WRONG_TYPE)


async def _put(
    store: SessionStore, batch: Sequence[_Item], options: ImportOptions
) -> list[PutResult]:
    replace = options.on_conflict is OnConflict.REPLACE
    if options.dry_run:
        return await _compare(store, batch, replace=replace)
    results = await store.put([item.value for item in batch], replace=replace)
    doubtful = [
        item for item, result in zip(batch, results, strict=True) if result is PutResult.EXISTS
    ]
    if doubtful:
        # only its layout may differ, such as in a document of another tool
        stored = {v.ref: v for v in await store.values([item.value.ref for item in doubtful])}
        return [
            PutResult.SAME
            if result is PutResult.EXISTS and same_session(stored.get(item.value.ref), item.value)
            else result
            for item, result in zip(batch, results, strict=True)
        ]
    return list(results)


async def _compare(
    store: SessionStore, batch: Sequence[_Item], *, replace: bool
) -> list[PutResult]:
    existing = {v.ref: v for v in await store.values([item.value.ref for item in batch])}
    results: list[PutResult] = []
    for item in batch:
        stored = existing.setdefault(item.value.ref, item.value)
        if stored is item.value:
            result = PutResult.STORED
        elif same_session(stored, item.value):
            result = PutResult.SAME
        else:
            result = PutResult.REPLACED if replace else PutResult.EXISTS
        results.append(result)
    return results


def _count(report: ImportReport, batch: Sequence[_Item], results: Sequence[PutResult]) -> None:
    for item, result in zip(batch, results, strict=True):
        if result is PutResult.STORED:
            report.sessions += 1
        elif result is PutResult.REPLACED:
            report.replaced += 1
        elif result is PutResult.SAME:
            report.unchanged += 1
        elif result is PutResult.WRONG_TYPE:
            report.reject(item.where, _WRONG_TYPE)
        elif result is PutResult.EXISTS:
            report.skipped += 1
            if len(report.conflicts) < _MAX_REPORTED:
                report.conflicts.append((item.where, item.value.ref.path))


async def _put_state(
    store: SessionStore, item: StoredState, options: ImportOptions, report: ImportReport
) -> None:
    replace = options.on_conflict is OnConflict.REPLACE
    if options.dry_run:
        stored = await store.state_of([(item.app_name, item.user_id)])
        existing = stored[0].state if stored else {}
        results = {
            name: compared(
                json_bytes(existing[name]) if name in existing else None,
                json_bytes(value),
                replace=replace,
            )
            for name, value in item.state.items()
        }
    else:
        results = await store.put_state(item, replace=replace)
    report.state_keys += sum(
        result in (PutResult.STORED, PutResult.REPLACED) for result in results.values()
    )
    report.state_keys_skipped += sum(result is PutResult.EXISTS for result in results.values())
