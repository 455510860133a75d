"""`adksess ttl`: when sessions expire, and changing it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import (
    AppOption,
    DryRunOption,
    IdleOption,
    IdsArgument,
    NoTtlOption,
    OutputFormat,
    OutputOption,
    PrefixOption,
    RedisUrlOption,
    SinceOption,
    UserOption,
    YesOption,
    settings_from,
)

if TYPE_CHECKING:
    from adksess.cli.selection import SelectedSessions
    from adksess.store.models import SessionSummary
    from adksess.store.store import SessionStore


def ttl(
    ids: IdsArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    app: AppOption = None,
    user: UserOption = None,
    since: SinceOption = None,
    idle: IdleOption = None,
    no_ttl: NoTtlOption = False,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="DURATION",
            help="Let them expire in 15m, 2h, 7d from now; 0 for never. The next event may extend "
            "it again to the service's TTL.",
        ),
    ] = None,
    persist: Annotated[
        bool, typer.Option("--persist", help="Let them never expire, whatever is appended.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show when sessions expire; with --set or --persist, change it."""
    from dataclasses import replace

    from adksess.cli.commands.deletion import report_missing, warn_of
    from adksess.cli.prompts import confirm
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import counted
    from adksess.cli.runner import with_store
    from adksess.cli.selection import Filters, choose, names_from, require_choice
    from adksess.store.durations import format_duration, parse_duration

    settings = settings_from(redis_url, prefix=prefix)
    filters = Filters.parse(app, user, since, idle, no_ttl)
    require_choice(ids, filters, all_if_none=False)
    if set_to is not None and persist:
        raise UsageProblem("--set and --persist exclude each other.")
    seconds = 0 if persist else None if set_to is None else parse_duration(set_to)
    names, exact = names_from(ids), "-" in (ids or ())
    if ids and not names:
        return
    chosen = with_store(settings, lambda store: choose(store, names, filters, exact=exact))
    if seconds is not None and chosen.sessions:
        # what is no session is not ours to let expire
        warn_of(chosen.unreadable)
        chosen = replace(chosen, sessions=[s for s in chosen.sessions if s.tail])
        aim = f"expire in {format_duration(seconds)}" if seconds else "never expire"
        what = counted(len(chosen.sessions), "session")
        if dry_run:
            stdout().print(f"Would let {what} {aim}.", markup=False)
            if report_missing(chosen.missing):
                raise typer.Exit(ExitCode.NOT_FOUND)
            return
        if not names:
            confirm(f"let {what} in {settings.redacted} {aim}", yes=yes)
        chosen = with_store(settings, lambda store: _set(store, chosen, seconds))
    _print(chosen.sessions, output)
    if report_missing(chosen.missing):
        raise typer.Exit(ExitCode.NOT_FOUND)


async def _set(
    store: "SessionStore", chosen: "SelectedSessions", seconds: int
) -> "SelectedSessions":
    """Set every expiry, and read the sessions again."""
    from dataclasses import replace

    from adksess.cli.render.progress import Meter

    with Meter("Setting expiry", len(chosen.sessions)) as meter:
        for session in chosen.sessions:
            await store.set_expiry(session.ref, seconds)
            meter.advance(1)
    again = await store.summaries([session.ref for session in chosen.sessions])
    return replace(chosen, sessions=again)


def _print(sessions: "Sequence[SessionSummary]", output: OutputFormat) -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import stdout
    from adksess.cli.render.json_output import write_json
    from adksess.cli.render.text import safe_text
    from adksess.store.durations import format_duration

    rows = [
        (session, None if session.ttl_seconds is None else round(session.ttl_seconds))
        for session in sessions
    ]
    if output is OutputFormat.JSON:
        write_json(
            [
                {
                    "key": session.key,
                    "app_name": session.ref.app_name,
                    "user_id": session.ref.user_id,
                    "session_id": session.ref.session_id,
                    "ttl_seconds": seconds,
                }
                for session, seconds in rows
            ]
        )
        return
    if not rows:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("SESSION", overflow="fold", min_width=min(36, stdout().width // 2))
    table.add_column("EXPIRES IN", no_wrap=True)
    table.add_column("SECONDS", justify="right", no_wrap=True)
    for session, seconds in rows:
        words = Text("never", style="yellow")
        if seconds is not None:
            words = Text(format_duration(seconds))
        table.add_row(
            Text(safe_text(session.ref.session_id), style="cyan"),
            words,
            "-" if seconds is None else str(seconds),
        )
    stdout().print(table)
