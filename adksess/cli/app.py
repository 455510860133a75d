"""The command line's wiring: which commands there are, and what an error comes to."""

import os
import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from adksess.cli.errors import KNOWN, ExitCode, fail

_RUN, _SEE, _CHANGE, _MOVE = "Run agents", "See sessions", "Change sessions", "Move sessions"


@dataclass(frozen=True)
class _Command:
    """Under which heading a command is listed, where its function is, and how to use it.

    `summary` is the first line of the function's docstring.
    """

    panel: str
    function: str
    summary: str
    examples: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    kind: str = ""


_COMMANDS = {
    "serve": _Command(
        _RUN,
        "serve:serve",
        "Serve agents with ADK's web UI and sessions in Redis.",
        (
            "adksess serve --demo",
            "adksess serve agents --ttl 7d",
            "adksess serve agents -r redis://db.internal:6379/0 --api --port 9000",
        ),
        settings={"context_settings": {"ignore_unknown_options": True}},
    ),
    "init": _Command(
        _RUN,
        "init:init",
        "Write a services.py that registers redis:// for plain `adk` commands.",
        (
            "adksess init agents",
            "adksess init agents --agent",
        ),
    ),
    "adk": _Command(
        _RUN,
        "adk:adk",
        "Run ADK's own command line with Redis sessions registered.",
        (
            "adksess adk web --session_service_uri=redis://localhost:6379/0 agents",
            "adksess adk run --session_service_uri=redis://localhost:6379/0 agents/my_agent",
        ),
        kind="adk:PassThrough",
    ),
    "doctor": _Command(
        _RUN,
        "doctor:doctor",
        "Diagnose Redis, ADK and the registration.",
        (
            "adksess doctor",
            "adksess doctor agents -r redis://db.internal:6379/0",
            "adksess doctor --fix",
        ),
    ),
    "list": _Command(
        _SEE,
        "list:list_sessions",
        "List the sessions, newest first.",
        (
            "adksess list --app demo --since 2h",
            "adksess list --column state.topic --watch",
            "adksess list -o json -n 0 | jq '.[].session_id'",
        ),
        kind="list:Watchable",
    ),
    "show": _Command(
        _SEE,
        "show:show",
        "Show a session's metadata, state and latest events.",
        (
            "adksess show 8e42",
            "adksess show demo/ada/chat-1 --events all --follow",
            "adksess show 8e42 -o json | jq .state",
        ),
    ),
    "stats": _Command(
        _SEE,
        "stats:stats",
        "Show totals per app and activity per day.",
        (
            "adksess stats",
            "adksess stats --since 7d -o json",
        ),
    ),
    "ttl": _Command(
        _CHANGE,
        "ttl:ttl",
        "Show when sessions expire; with --set or --persist, change it.",
        (
            "adksess ttl 8e42",
            "adksess ttl 8e42 --set 7d",
            "adksess ttl --no-ttl --set 30d --yes",
        ),
    ),
    "delete": _Command(
        _CHANGE,
        "delete:delete",
        "Delete sessions: those named, or those that the filters select. Asks first.",
        (
            "adksess delete 8e42",
            "adksess delete --idle 90d --yes",
            "adksess list --app demo -o ids -n 0 | adksess delete - --yes",
        ),
    ),
    "trim": _Command(
        _CHANGE,
        "trim:trim",
        "Drop old invocations from sessions: those named, or those that the filters select.",
        (
            "adksess trim 8e42 --keep-last 20",
            "adksess trim --app demo --keep-last 50 --dry-run",
        ),
    ),
    "flush": _Command(
        _CHANGE,
        "flush:flush",
        "Delete all sessions under the prefix, or those that the filters select. Asks first.",
        (
            "adksess flush --dry-run",
            "adksess flush --app demo --yes",
        ),
    ),
    "export": _Command(
        _MOVE,
        "export:export",
        "Write sessions, with the state of their apps and users, as NDJSON: a line for each.",
        (
            "adksess export --out sessions.ndjson.gz",
            "adksess export 8e42 | jq .",
        ),
    ),
    "import": _Command(
        _MOVE,
        "import_:import_sessions",
        "Import sessions and state. Every line is checked before it is written.",
        (
            "adksess import sessions.ndjson.gz --dry-run",
            "adksess import sessions.ndjson.gz --on-conflict skip",
        ),
    ),
    "migrate": _Command(
        _MOVE,
        "_migrate_options:migrate",
        "Take over sessions that ADK's other session services stored, or move out again.",
        (
            "adksess migrate --detect",
            "adksess migrate --from sqlite:///sessions.db --dry-run",
        ),
    ),
}


class _Commands(TyperGroup):
    """The commands, each imported when it is asked for: `list` need not wait for `serve`."""

    _lists_only = False

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """List the commands from the table: to import them all takes a seventh of `--help`."""
        self._lists_only = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._lists_only = False

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(_COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if cmd_name not in _COMMANDS:
            return None
        command = _COMMANDS[cmd_name]
        if self._lists_only:
            return TyperCommand(cmd_name, help=command.summary, rich_help_panel=command.panel)
        alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
        lines = "\n\n".join(["Examples:", *(f"  {example}" for example in command.examples)])
        settings = dict(command.settings)
        if command.kind:
            settings["cls"] = _named(command.kind)
        alone.command(cmd_name, rich_help_panel=command.panel, epilog=lines, **settings)(
            _named(command.function)
        )
        return typer.main.get_command(alone)


def _named(place: str) -> Any:
    """What `module:name` in this package stands for."""
    module, _, name = place.partition(":")
    return getattr(import_module(f"adksess.cli.commands.{module}"), name)


app = typer.Typer(
    name="adksess",
    cls=_Commands,
    help="Redis sessions for Google ADK agents: serve agents, and see what is stored.",
    epilog="Start here: adksess serve --demo",
    rich_markup_mode="rich",
    # A traceback with local variables would show the Redis password.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(value: bool) -> None:
    if value:
        from adksess import __version__

        typer.echo(f"adksess {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Print no colors; so does NO_COLOR=1.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """Run the command line and exit with its code."""
    if _take_no_color(sys.argv):
        os.environ["NO_COLOR"] = "1"
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(ExitCode.INTERRUPTED)
    except KNOWN as exc:
        sys.exit(fail(exc))


def _take_no_color(words: list[str]) -> bool:
    """Whether --no-color is asked for, before or after the command. ADK's words are its own."""
    if "--no-color" not in words or "adk" in words[1:2]:
        return False
    words.remove("--no-color")
    return True
