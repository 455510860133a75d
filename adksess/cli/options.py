"""The options that commands share, each in one place: name, environment variable, help.

Single options are annotated types. Groups of options are dataclasses: a command that has a
parameter of such a type has all options of the group (see `adksess.cli.command`).
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from adksess.cli.candidates import complete_app, complete_id, complete_user
from adksess.conversation.status import Status


class OutputFormat(StrEnum):
    """What a command prints on stdout."""

    TABLE = "table"
    JSON = "json"


AppsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--app",
        "-a",
        metavar="APP",
        help="Only sessions of this app; repeatable.",
        show_default=False,
        autocompletion=complete_app,
    ),
]

UsersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        "-u",
        metavar="USER",
        help="Only sessions of this user; repeatable.",
        show_default=False,
        autocompletion=complete_user,
    ),
]

StatusOption = Annotated[
    list[Status] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="Only sessions that are waiting, failed, unanswered or ok; repeatable.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class FilterOptions:
    """Filters for sessions, as they were typed. All that are given must match."""

    app: AppsOption = None
    user: UsersOption = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="AGO|DATE",
            help="Only sessions updated since: 2h, 7d, yesterday, 2026-11-01, 2026-11-01T09:30.",
        ),
    ] = None
    idle: Annotated[
        str | None,
        typer.Option(
            "--idle", metavar="DURATION", help="Only sessions not updated for that long: 30d."
        ),
    ] = None
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="AGO|DATE", help="Only sessions not updated after this."),
    ] = None
    app_like: Annotated[
        str | None,
        typer.Option(
            "--app-like", metavar="GLOB", help="Only sessions of apps that match: 'support*'."
        ),
    ] = None
    user_like: Annotated[
        str | None,
        typer.Option(
            "--user-like", metavar="GLOB", help="Only sessions of users that match: 'bob*'."
        ),
    ] = None
    status: StatusOption = None
    no_ttl: Annotated[bool, typer.Option("--no-ttl", help="Only sessions that never expire.")] = (
        False
    )


UtcOption = Annotated[bool, typer.Option("--utc", help="Show times in UTC.")]


TtlOption = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="DURATION",
        help="How long a session is kept after its last event: 90s, 15m, 2h, 7d, or 0 for no "
        "expiry.",
        show_default="1d",
    ),
]

OneAppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        metavar="APP",
        help="Only sessions of this app.",
        autocompletion=complete_app,
    ),
]

OutputOption = Annotated[OutputFormat, typer.Option("--output", "-o", help="Output format.")]

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID",
        help="A session id, a prefix of one (4 characters or more), app/user/id, or the whole "
        "key; - reads them from stdin, one per line.",
        show_default=False,
        autocompletion=complete_id,
    ),
]

IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A session id, a prefix of one (4 characters or more), app/user/id, or the whole key.",
        autocompletion=complete_id,
    ),
]


ConfirmOption = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="SERVER",
        help="Confirm with the name of a protected server, where --yes is not enough.",
        show_default=False,
    ),
]


QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only warnings and errors, for cron.")
]


@dataclass(frozen=True)
class ChangeOptions:
    """Options of every command that changes sessions."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation.")] = False
    confirm: ConfirmOption = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")] = False
    quiet: QuietOption = False


DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done.")]

AgentsDirArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="AGENTS_DIR", help="A folder of agents, or of one agent.", show_default=False
    ),
]
