"""What `delete` and `flush` share: describe, confirm, delete in batches, report."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adksess.cli.filters import Filters
from adksess.cli.options import ChangeOptions
from adksess.cli.preview import print_preview
from adksess.cli.prompts import Target, confirm
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.progress import ProgressBar
from adksess.cli.render.styles import MUTED
from adksess.cli.render.text import counted, human_size, safe_text
from adksess.cli.runner import with_store
from adksess.cli.selection import explain_no_match, warn_of
from adksess.store.batches import batched
from adksess.store.keys import SessionRef
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

    `unreadable` sessions are kept: they are deleted only by name. With `unchanged_only` a session
    that was used since it was selected is kept. `words` say what the filters ask for. All that
    will be deleted is first written to the file `backup`.
    """

    sessions: Sequence[SessionSummary]
    unreadable: Sequence[SessionSummary] = ()
    states: Sequence[Owner] = ()
    unchanged_only: bool = False
    words: str = ""
    backup: Path | None = None


@dataclass
class DeletionReport:
    """What was deleted, and which sessions were kept because they were used meanwhile."""

    sessions: int = 0
    size_bytes: int = 0
    states: int = 0
    kept: list[SessionRef] = field(default_factory=list)


def delete_sessions(
    settings: Settings,
    options: DeletionOptions,
    answer: ChangeOptions,
    target: Target,
    *,
    count: int | None = None,
) -> DeletionReport:
    """Ask, delete, and print on stdout what was deleted. Can be interrupted and repeated.

    `count` is what has to be typed to confirm, None for a plain question.
    """
    warn_of(options.unreadable)
    report = DeletionReport()
    if not options.sessions and not options.states:
        _print("Nothing to delete.", answer)
        return report
    if answer.dry_run:
        print_preview(settings, options.sessions)
        _print(f"Would delete {_describe(options)}.", answer)
        return report
    comma = "," if options.words and not options.states else ""
    confirm(f"delete {_describe(options)}{comma}", answer, target, count=count)
    if options.backup is not None:
        options = _back_up(settings, options, options.backup, answer)
    with_store(settings, lambda store: _delete(store, options, report))
    _print_report(report, answer, asked_for_state=bool(options.states))
    return report


def _back_up(
    settings: Settings, options: DeletionOptions, path: Path, answer: ChangeOptions
) -> DeletionOptions:
    """Export what will be deleted, and return the options without what is not in the file."""
    from adksess.transfer.exporter import ExportReport, Write, export_listed, export_states
    from adksess.transfer.files import output_file

    async def export(store: SessionStore, write: Write) -> list[SessionSummary]:
        with ProgressBar("Writing the backup", len(options.sessions)) as bar:
            written = []
            for batch in batched(options.sessions, _BATCH):
                written += await export_listed(store, batch, write)
                bar.advance(len(batch))
        for app_name, user_id in options.states:
            await export_states(store.all_states(app_name, user_id), write, ExportReport())
        return written

    with output_file(path) as file:
        written = with_store(settings, lambda store: export(store, file.write))
    if not answer.quiet:
        text = f"Wrote {counted(len(written), 'session')} to {path}: adksess import restores them."
        stderr().print(safe_text(text), style=MUTED, markup=False)
    kept = {session.ref for session in written}
    warn_of([s for s in options.sessions if s.ref not in kept and not s.tail])
    return replace(options, sessions=written, unchanged_only=True)


def purge_sessions(
    settings: Settings, filters: Filters, answer: ChangeOptions, *, state: bool
) -> None:
    """Delete all sessions of some apps and users, without asking and without reading them."""
    report = DeletionReport()
    unreadable: list[SessionSummary] = []

    async def work(store: SessionStore) -> None:
        with ProgressBar("Deleting sessions", await store.key_count(), changes=True) as bar:
            for app, user in filters.owners:
                async for batch in store.purge(app, user):
                    report.sessions += batch.sessions
                    report.size_bytes += batch.size_bytes
                    unreadable.extend(batch.unreadable)
                    bar.advance(batch.sessions)
                if state:
                    report.states += await store.delete_state(app, user)

    with_store(settings, work)
    warn_of(unreadable)
    if report.sessions or state:
        _print_report(report, answer, asked_for_state=state)
    else:
        _print("Nothing to delete.", answer)
    if not report.sessions and not unreadable:
        explain_no_match(settings, filters, quiet=answer.quiet)


def _print(text: str, answer: ChangeOptions) -> None:
    if not answer.quiet:
        stdout().print(text, markup=False)


def _print_report(report: DeletionReport, answer: ChangeOptions, *, asked_for_state: bool) -> None:
    for ref in report.kept[:_NAMES_SHOWN]:
        sentence = f"{ref.path} was used in the meantime and was kept."
        stderr().print(message("warning", sentence))
    if more := len(report.kept[_NAMES_SHOWN:]):
        stderr().print(message("warning", f"{more:,} more were used and were kept."))
    text = f"Deleted {counted(report.sessions, 'session')}, {human_size(report.size_bytes)} freed"
    if report.states:
        text += f"; and {counted(report.states, 'state hash', 'state hashes')}"
    _print(f"{text}.", answer)
    if asked_for_state and not answer.quiet:
        stderr().print(
            "Artifacts and memory are stored by other services and were not deleted.", style=MUTED
        )


async def _delete(store: SessionStore, options: DeletionOptions, report: DeletionReport) -> None:
    with ProgressBar("Deleting sessions", len(options.sessions), changes=True) as bar:
        for batch in batched(options.sessions, _BATCH):
            if options.unchanged_only:
                deleted, kept = await store.delete_unchanged(batch)
                report.kept += kept
                sizes = {session.ref: session.size_bytes for session in batch}
                report.sessions += len(deleted)
                report.size_bytes += sum(sizes[ref] for ref in deleted)
            else:
                report.sessions += await store.delete([session.ref for session in batch])
                report.size_bytes += sum(session.size_bytes for session in batch)
            bar.advance(len(batch))
    for app_name, user_id in options.states:
        report.states += await store.delete_state(app_name, user_id)


def _describe(what: DeletionOptions) -> str:
    """`3 sessions (4.1 kB) of 2 users in app demo, not updated for 30 days`."""
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
        if what.words:
            parts[0] += f", {what.words}" + ("," if what.states else "")
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


def _named(noun: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    if len(names) > _NAMES_SHOWN:
        return f"{len(names):,} {noun}s ({shown}, …)"
    return f"{noun if len(names) == 1 else noun + 's'} {shown}"
