"""The work of `adksess export` and `adksess import`: files, progress, and what to say."""

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO

import typer

from adksess.cli.errors import ExitCode
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.json_output import json_for_screens
from adksess.cli.render.progress import Meter
from adksess.cli.render.text import counted, human_size
from adksess.cli.runner import with_store
from adksess.cli.selection import SelectedSessions, Selection
from adksess.store.errors import AdksessError
from adksess.store.models import SessionSummary
from adksess.store.settings import Settings
from adksess.store.store import SessionStore
from adksess.transfer import files
from adksess.transfer.exporter import Exported, Write, export_sessions, export_states, states_of
from adksess.transfer.import_options import ImportOptions, OnConflict
from adksess.transfer.importer import Imported, import_lines


class ImportConflict(AdksessError):
    """`--on-conflict fail`, and something is there already."""


def export_to(out: Path | None, settings: Settings, selection: Selection) -> None:
    """Write the selected sessions, and print on stderr how many."""
    done = Exported()
    with files.writing(out) as file:
        write = _to_screen if out is None and sys.stdout.isatty() else file.write
        selected = with_store(settings, lambda store: _export(store, selection, write, done))
    size = f" ({human_size(out.stat().st_size)})" if out and out.is_file() else ""
    where = f" to {out}{size}" if out else ""
    stderr().print(
        f"Exported {counted(done.sessions, 'session')} and the state of "
        f"{counted(done.states, 'app or user', 'apps and users')}{where}.",
        markup=False,
    )
    for session in done.left_out:
        stderr().print(message("warning", f"{session.ref.path} is left out: {session.problem}."))
    if more := done.unreadable - len(done.left_out):
        stderr().print(message("warning", f"{more:,} more that cannot be read are left out."))
    if selected.report_missing():
        raise typer.Exit(ExitCode.NOT_FOUND)
    if done.unreadable:
        raise typer.Exit(ExitCode.FAILED)


async def _export(
    store: SessionStore, selection: Selection, write: Write, done: Exported
) -> SelectedSessions:
    filters, by_name = selection.filters, selection.names is not None
    selected = await selection.resolve(store) if by_name else SelectedSessions([])
    total = len(selected.sessions) if by_name else await store.key_count()
    with Meter("Exporting sessions", total) as meter:

        async def batches() -> AsyncIterator[Sequence[SessionSummary]]:
            if by_name:
                yield selected.sessions
                meter.advance(len(selected.sessions))
                return
            async for batch in store.scan(filters.app, filters.user):
                yield [summary for summary in batch if filters.match(summary)]
                meter.advance(len(batch))

        by_owner = by_name or filters.on_time
        owners = await export_sessions(store, batches(), write, done, note_owners=by_owner)
        if by_owner:
            await export_states(states_of(store, owners), write, done)
            return selected
        for app, user in filters.owners:
            await export_states(store.all_states(app, user), write, done)
        if filters.users and filters.apps:
            await export_states(
                states_of(store, {(app, None) for app in filters.apps}), write, done
            )
    return selected


def import_from(name: str, settings: Settings, plan: ImportOptions) -> bool:
    """Import a file, or stdin for `-`, and report. False when a line was refused."""
    fails = plan.on_conflict is OnConflict.FAIL
    with files.reading(name, twice=fails) as file:
        if fails:
            trial = ImportOptions(OnConflict.SKIP, plan.ttl, plan.rename_apps, dry_run=True)
            found = _import(settings, file, trial, "Comparing lines")
            if found.skipped or found.state_keys_skipped:
                raise ImportConflict(_conflicts(found))
            file.seek(0)
        done = _import(settings, file, plan, "Importing lines")
    _report(done, plan)
    return not done.refused


def _import(settings: Settings, file: BinaryIO, plan: ImportOptions, text: str) -> Imported:
    async def work(store: SessionStore) -> Imported:
        with Meter(text) as meter:
            return await import_lines(store, files.lines(file), plan, meter.advance)

    return with_store(settings, work)


def _report(done: Imported, plan: ImportOptions) -> None:
    console = stderr()
    for trouble in done.troubles:
        console.print(message("error", f"line {trouble.line:,} is refused: {trouble.why}."))
    if more := done.refused - len(done.troubles):
        console.print(message("error", f"{more:,} more lines are refused."))
    verb = "Would import" if plan.dry_run else "Imported"
    parts = [f"{verb} {counted(done.sessions + done.replaced, 'session')}"]
    if done.replaced:
        parts[0] += f" ({done.replaced:,} in place of others)"
    parts.append(counted(done.state_keys, "state value"))
    if done.unchanged:
        parts.append(f"{done.unchanged:,} already there")
    if done.skipped:
        parts.append(f"{done.skipped:,} skipped")
    if done.expired:
        parts.append(f"{done.expired:,} expired meanwhile")
    if done.refused:
        parts.append(f"{done.refused:,} refused")
    stdout().print(", ".join(parts) + ".", markup=False)
    if done.skipped or done.state_keys_skipped:
        what = " and ".join(
            words
            for words, number in (
                (counted(done.skipped, "session"), done.skipped),
                (counted(done.state_keys_skipped, "state value"), done.state_keys_skipped),
            )
            if number
        )
        console.print(
            message(
                "note",
                f"{what} are there with other content and stay; "
                "--on-conflict replace takes those of the file.",
            )
        )
    if done.expired:
        console.print(message("note", "--ttl 7d brings expired sessions back for a week."))


def _conflicts(found: Imported) -> str:
    named = [f"{name} (line {line:,})" for line, name in found.conflicts[:3]]
    what = counted(found.skipped, "session")
    if found.state_keys_skipped:
        what += f" and {counted(found.state_keys_skipped, 'state value')}"
    examples = f", such as {', '.join(named)}" if named else ""
    return (
        f"Nothing was written: {what} of the file are there already with other content{examples}. "
        "Use --on-conflict skip or --on-conflict replace."
    )


def _to_screen(line: bytes) -> None:
    sys.stdout.write(json_for_screens(line.decode()))
