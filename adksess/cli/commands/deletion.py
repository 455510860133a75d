"""What `delete` and `flush` share: describe, confirm, delete in batches, report."""

from collections.abc import Sequence
from dataclasses import dataclass

from adksess.cli.prompts import confirm
from adksess.cli.render.console import stderr, stdout
from adksess.cli.render.progress import Meter
from adksess.cli.render.text import counted, human_size, safe_text
from adksess.cli.runner import with_store
from adksess.cli.selection import warn_of
from adksess.store.models import SessionSummary
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

_BATCH = 500
_NAMES_SHOWN = 3


Owner = tuple[str | None, str | None]
"""An app and a user; None means all of them."""


@dataclass(frozen=True)
class DeletionOptions:
    """What to delete: sessions, and the state of apps (user None) and users.

    `unreadable` sessions are kept: they are deleted only by name.
    """

    sessions: Sequence[SessionSummary]
    unreadable: Sequence[SessionSummary] = ()
    states: Sequence[Owner] = ()
    yes: bool = False
    dry_run: bool = False


def delete_sessions(settings: Settings, what: DeletionOptions) -> None:
    """Ask, delete, and print on stdout what was deleted. Can be interrupted and repeated."""
    warn_of(what.unreadable)
    if not what.sessions and not what.states:
        stdout().print("Nothing to delete.")
        return
    if what.dry_run:
        stdout().print(f"Would delete {_describe(what)}.", markup=False)
        return
    confirm(f"delete {_describe(what)} in {settings.redacted}", yes=what.yes)
    deleted, freed, states = with_store(settings, lambda store: _delete(store, what))
    _print_report(deleted, freed, states, asked_for_state=bool(what.states))


def purge_sessions(settings: Settings, owners: Sequence[Owner], *, state: bool) -> None:
    """Delete all sessions of some owners, without asking and without reading them."""

    async def work(store: SessionStore) -> tuple[int, int, int, list[SessionSummary]]:
        sessions = freed = 0
        unreadable: list[SessionSummary] = []
        states = 0
        with Meter("Deleting sessions", await store.key_count()) as meter:
            for app, user in owners:
                async for batch in store.purge(app, user):
                    sessions += batch.sessions
                    freed += batch.size_bytes
                    unreadable += batch.unreadable
                    meter.advance(batch.sessions)
                if state:
                    states += await store.delete_state(app, user)
        return sessions, freed, states, unreadable

    sessions, freed, states, unreadable = with_store(settings, work)
    warn_of(unreadable)
    if sessions or state:
        _print_report(sessions, freed, states, asked_for_state=state)
    else:
        stdout().print("Nothing to delete.")


def _print_report(deleted: int, freed: int, states: int, *, asked_for_state: bool) -> None:
    stdout().print(_report(deleted, freed, states), markup=False)
    if asked_for_state:
        stderr().print(
            "Artifacts and memory are stored by other services and were not deleted.",
            style="dim",
        )


async def _delete(store: SessionStore, what: DeletionOptions) -> tuple[int, int, int]:
    deleted = freed = 0
    with Meter("Deleting sessions", len(what.sessions)) as meter:
        for start in range(0, len(what.sessions), _BATCH):
            batch = what.sessions[start : start + _BATCH]
            deleted += await store.delete([session.ref for session in batch])
            freed += sum(session.size_bytes for session in batch)
            meter.advance(len(batch))
    states = 0
    for app_name, user_id in what.states:
        states += await store.delete_state(app_name, user_id)
    return deleted, freed, states


def _describe(what: DeletionOptions) -> str:
    """`3 sessions (4.1 kB) of 2 users in app demo`."""
    sessions = what.sessions
    apps = sorted({s.ref.app_name for s in sessions})
    users = sorted({(s.ref.app_name, s.ref.user_id) for s in sessions})
    parts = []
    if sessions:
        size = human_size(sum(s.size_bytes for s in sessions))
        owner = f"user {users[0][1]}" if len(users) == 1 else counted(len(users), "user")
        parts.append(
            f"{counted(len(sessions), 'session')} ({size}) of {owner} in {_named('app', apps)}"
        )
        if len(sessions) == 1:
            parts[0] = f"session {sessions[0].ref.path} ({size})"
    if what.states:
        everyone = (None, None) in what.states
        parts.append("all app and user state" if everyone else _states(what.states))
    return safe_text(" and ".join(parts))


def _states(states: Sequence[Owner]) -> str:
    if len(states) == 1:
        app, user = states[0]
        if app is None:
            return f"the state of user {user} in every app"
        return f"the state of app {app}" + (f", user {user}" if user is not None else " and users")
    return f"the state of {len(states):,} users"


def _report(deleted: int, freed: int, states: int) -> str:
    text = f"Deleted {counted(deleted, 'session')}, {human_size(freed)} freed"
    return f"{text}; and {counted(states, 'state hash', 'state hashes')}." if states else f"{text}."


def _named(noun: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    if len(names) > _NAMES_SHOWN:
        return f"{len(names):,} {noun}s ({shown}, …)"
    return f"{noun if len(names) == 1 else noun + 's'} {shown}"
