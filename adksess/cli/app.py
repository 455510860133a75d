"""Command registration and error handling."""

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from adksess.cli.command import Command, with_plain_flags
from adksess.cli.errors import KNOWN, ExitCode, fail, naming

_PANELS = {
    "Run agents": ("serve", "init", "adk", "doctor"),
    "Inspect": ("list", "show", "search", "stats"),
    "Modify": ("ttl", "delete", "trim", "flush"),
    "Transfer": ("export", "import", "migrate"),
    "Help": ("help",),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}

# A command's module in adksess.cli.commands, where it has another name.
_MODULES = {
    "import": "import_",
}

_ALIASES = {"ls": "list", "rm": "delete"}


class _Commands(TyperGroup):
    """The commands. A module is imported when its command is run, or for --help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        names: dict[str, Any] = dict.fromkeys(_PANEL_OF)
        self.commands = names  # Typer lists these, and suggests them for a wrong name

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        return with_plain_flags(super().get_params(ctx))

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        """Return the name, summary and heading of a command, or None."""
        found = _find(cmd_name)
        return found and found.listed(cmd_name, _PANEL_OF[_ALIASES.get(cmd_name, cmd_name)])

    def resolve_command(  # type: ignore[override]
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, Any, list[str]]:
        """Find the command to run: with its options, which a list of commands does not need."""
        name, _, rest = super().resolve_command(ctx, args)
        found = _find(name or "")
        return name, found and found.build(name or "", ""), rest

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        with naming(ctx):
            return super().parse_args(ctx, args)


def _find(name: str) -> Command | None:
    """Import the module of a command, and return its declaration."""
    name = _ALIASES.get(name, name)
    if name not in _PANEL_OF:
        return None
    module = import_module(f"adksess.cli.commands.{_MODULES.get(name, name)}")
    (found,) = [value for value in vars(module).values() if isinstance(value, Command)]
    return found


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
