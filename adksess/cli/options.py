"""The options that commands share, each in one place: name, environment variable, help."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from adksess.cli.completion import complete_app, complete_id, complete_user
from adksess.store.durations import parse_duration
from adksess.store.errors import InvalidURL
from adksess.store.settings import DEFAULT_URL, Settings


class OutputFormat(StrEnum):
    """What a command prints on stdout."""

    TABLE = "table"
    JSON = "json"


RedisUrlOption = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        "-r",
        envvar=["ADKSESS_REDIS_URL", "REDIS_URL"],
        metavar="URL",
        help="Where the sessions are: redis://, rediss://, unix://, valkey://, "
        "redis+cluster://, rediss+cluster:// or redis+sentinel://.",
        show_default=DEFAULT_URL,
    ),
]

TtlOption = Annotated[
    str | None,
    typer.Option(
        "--ttl",
        metavar="DURATION",
        help="How long a session is kept after its last event: 90s, 15m, 2h, 7d, a number of "
        "seconds, or 0 for ever.",
        show_default="1d",
    ),
]

PrefixOption = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        envvar="ADKSESS_PREFIX",
        metavar="TEXT",
        help="Stands in front of every key.",
    ),
]

AppOption = Annotated[
    str | None,
    typer.Option(
        "--app",
        "-a",
        metavar="APP",
        help="Only sessions of this app.",
        autocompletion=complete_app,
    ),
]

UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        "-u",
        metavar="USER",
        help="Only sessions of this user.",
        autocompletion=complete_user,
    ),
]

OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="A table for people, or JSON for programs.")
]

SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="AGO|DATE",
        help="Only sessions updated since: 2h, 7d, 2026-11-01, 2026-11-01T09:30.",
    ),
]

IdleOption = Annotated[
    str | None,
    typer.Option(
        "--idle", metavar="DURATION", help="Only sessions not updated for that long: 30d."
    ),
]

NoTtlOption = Annotated[bool, typer.Option("--no-ttl", help="Only sessions that never expire.")]

IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ID]...",
        help="A session id, a prefix of one (4 characters or more), app/user/id, or the whole "
        "key; - reads them from stdin, one to a line.",
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

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
]

AgentsDirArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[AGENTS_DIR]", help="A folder of agents, or of one agent.", show_default=False
    ),
]


def settings_from(
    redis_url: str | None, *, ttl: str | None = None, prefix: str | None = None
) -> Settings:
    """The settings that a command's options stand for. Raises InvalidURL or InvalidDuration."""
    if redis_url is not None and not redis_url.strip():
        raise InvalidURL("The Redis URL is empty: write it like redis://host:6379/0.")
    return Settings.parse(
        redis_url or DEFAULT_URL,
        ttl=None if ttl is None else parse_duration(ttl),
        prefix=prefix,
    )
