"""The work of `delete` and `flush`: say what goes, ask, let it go in batches, report."""

from collections.abc import Sequence
from dataclasses import dataclass

from adksess.cli.prompts import confirm
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.progress import Meter
from adksess.cli.render.text import counted, human_size, safe_text
from adksess.cli.runner import with_store
from adksess.cli.selection import path
from adksess.store.models import SessionSummary
from adksess.store.settings import Settings
from adksess.store.store import SessionStore

_BATCH = 500
_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Deletion:
    """What is to go: sessions, and the state of whole apps (user None) and users.

    `unreadable` sessions stay: only a person who names one knows what it is.
    """

    sessions: Sequence[SessionSummary]
    unreadable: Sequence[SessionSummary] = ()
    states: Sequence[tuple[str | None, str | None]] = ()


def erase(settings: Settings, what: Deletion, *, yes: bool, dry_run: bool) -> None:
    """Ask, delete, and say on stdout what was deleted. Safe to interrupt and to repeat."""
    warn_of(what.unreadable)
    if not what.sessions and not what.states:
        stdout().print("Nothing to delete.")
        return
    if dry_run:
        stdout().print(f"Would delete {_describe(what)}.", markup=False)
        return
    confirm(f"delete {_describe(what)} in {settings.redacted}", yes=yes)
    deleted, freed, states = with_store(settings, lambda store: _delete(store, what))
    _print_report(deleted, freed, states, asked_for_state=bool(what.states))


def purge(settings: Settings, app: str | None, user: str | None, *, state: bool) -> None:
    """Delete all sessions, or those of an app or a user, unasked and without reading them."""

    async def work(store: SessionStore) -> tuple[int, int, int, list[SessionSummary]]:
        sessions = freed = 0
        unreadable: list[SessionSummary] = []
        with Meter("Deleting sessions", await store.key_count()) as meter:
            async for batch in store.purge(app, user):
                sessions += batch.sessions
                freed += batch.size_bytes
                unreadable += batch.unreadable
                meter.advance(batch.sessions)
        states = await store.delete_state(app, user) if state else 0
        return sessions, freed, states, unreadable

    sessions, freed, states, unreadable = with_store(settings, work)
    warn_of(unreadable)
    if sessions or state:
        _print_report(sessions, freed, states, asked_for_state=state)
    else:
        stdout().print("Nothing to delete.")


def report_missing(missing: Sequence[str]) -> bool:
    """Say which of the named sessions are not there. True if there is any."""
    for sentence in missing:
        stderr().print(message("error", sentence))
    return bool(missing)


def warn_of(unreadable: Sequence[SessionSummary]) -> None:
    """Name what stands at a session's key and is none."""
    console = stderr()
    for session in unreadable[:_NAMES_SHOWN]:
        console.print(message("warning", f"{path(session.ref)} is left alone: {session.problem}."))
    if more := len(unreadable[_NAMES_SHOWN:]):
        console.print(message("warning", f"{more:,} more that cannot be read are left alone."))


def _print_report(deleted: int, freed: int, states: int, *, asked_for_state: bool) -> None:
    stdout().print(_report(deleted, freed, states), markup=False)
    if asked_for_state:
        stderr().print(
            "Artifacts and long-term memory are kept by other services and were not touched.",
            style="dim",
        )


async def _delete(store: SessionStore, what: Deletion) -> tuple[int, int, int]:
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


def _describe(what: Deletion) -> str:
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
            parts[0] = f"session {path(sessions[0].ref)} ({size})"
    if what.states:
        everyone = (None, None) in what.states
        parts.append("all app and user state" if everyone else _states(what.states))
    return safe_text(" and ".join(parts))


def _states(states: Sequence[tuple[str | None, str | None]]) -> str:
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
