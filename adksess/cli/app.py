"""Command registration and error handling."""

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from adksess.cli.command import Command
from adksess.cli.errors import KNOWN, ExitCode, fail

_PANELS = {
    "Run agents": ("serve", "init", "adk", "doctor"),
    "Inspect": ("list", "show", "stats"),
    "Modify": ("ttl", "delete", "trim", "flush"),
    "Transfer": ("export", "import", "migrate"),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}

# A command's module in adksess.cli.commands, where it has another name.
_MODULES = {
    "import": "import_",
    "migrate": "_migrate_options",
}


class _Commands(TyperGroup):
    """The commands. A module is imported when its command is run, or for --help."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(_PANEL_OF)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if cmd_name not in _PANEL_OF:
            return None
        module = import_module(f"adksess.cli.commands.{_MODULES.get(cmd_name, cmd_name)}")
        (found,) = [value for value in vars(module).values() if isinstance(value, Command)]
        return found.build(cmd_name, _PANEL_OF[cmd_name])


app = typer.Typer(
    name="adksess",
    cls=_Commands,
    help="Redis sessions for Google ADK agents: serve agents, inspect and manage sessions.",
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
    """Remove --no-color, which is allowed anywhere, and return whether it was given."""
    if "--no-color" not in words or "adk" in words[1:2]:  # ADK has its own options
        return False
    words.remove("--no-color")
    return True
