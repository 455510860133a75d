"""Move sessions to another user, such as after an anonymous user has opened an account."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adksess.store.batches import batched
from adksess.store.errors import SessionConflict, SessionUnreadable
from adksess.store.keys import SessionRef, UserRef
from adksess.store.models import MoveResult, PutResult, StoredState
from adksess.store.store import SessionStore

_BATCH = 200


@dataclass(frozen=True)
class MoveOptions:
    """How to move. With `with_user_state` the `user:` state of the former users is merged.

    Existing values of the new user are kept, unless `overwrite`.
    """

    user_id: str
    with_user_state: bool = False
    overwrite: bool = False
    dry_run: bool = False


@dataclass
class MoveReport:
    """What was moved, or would be. `failed` are sessions that were not moved, with the reason."""

    sessions: list[SessionRef] = field(default_factory=list)
    unchanged: int = 0
    state_values: int = 0
    state_values_kept: int = 0
    failed: list[tuple[SessionRef, str]] = field(default_factory=list)


async def move_sessions(
    store: SessionStore,
    refs: Sequence[SessionRef],
    options: MoveOptions,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> MoveReport:
    """Move sessions to another user of their app. Can be interrupted and repeated.

    The state of users is merged first, and not deleted. See SessionStore.move for what a crash
    leaves. Raises ServerUnavailable.
    """
    report = MoveReport()
    moving = [ref for ref in refs if ref.user_id != options.user_id]
    report.unchanged = len(refs) - len(moving)
    if options.with_user_state:
        for user in dict.fromkeys(ref.user for ref in moving):
            await _merge_state(store, user, options, report)
    for batch in batched(moving, _BATCH):
        if options.dry_run:
            await _try(store, batch, options, report)
        else:
            await _move(store, batch, options, report)
        advance(len(batch))
    return report


async def _move(
    store: SessionStore, refs: Sequence[SessionRef], options: MoveOptions, report: MoveReport
) -> None:
    results = await store.move_all(refs, options.user_id)
    for ref, result in zip(refs, results, strict=True):
        try:
            if result is None:
                result = await store.move(ref, options.user_id)
        except SessionUnreadable:
            report.failed.append((ref, "it cannot be read"))
        except SessionConflict:
            report.failed.append((ref, "it is appended to constantly: try again later"))
        if result is MoveResult.MOVED:
            report.sessions.append(ref)
        elif result is MoveResult.EXISTS:
            report.failed.append((ref, _exists(options)))


async def _try(
    store: SessionStore, refs: Sequence[SessionRef], options: MoveOptions, report: MoveReport
) -> None:
    targets = [ref._replace(user_id=options.user_id) for ref in refs]
    existing = {summary.ref for summary in await store.summaries(targets)}
    for ref, target in zip(refs, targets, strict=True):
        if target in existing:
            report.failed.append((ref, _exists(options)))
        else:
            report.sessions.append(ref)


async def _merge_state(
    store: SessionStore, user: UserRef, options: MoveOptions, report: MoveReport
) -> None:
    for stored in await store.state_of([user]):
        target = StoredState(user.app_name, options.user_id, stored.state)
        if options.dry_run:
            existing = await store.state_of([(user.app_name, options.user_id)])
            names = existing[0].state if existing else {}
            kept = 0 if options.overwrite else len(stored.state.keys() & names.keys())
            report.state_values += len(stored.state) - kept
            report.state_values_kept += kept
            continue
        results = await store.put_state(target, replace=options.overwrite)
        written = (PutResult.STORED, PutResult.REPLACED)
        report.state_values += sum(result in written for result in results.values())
        report.state_values_kept += sum(result is PutResult.EXISTS for result in results.values())


def _exists(options: MoveOptions) -> str:
    return f"user {options.user_id} has a session of this id"
