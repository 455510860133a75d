"""Command registration and error handling."""

import os
import sys
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from inspect import CO_OPTIMIZED
from keyword import iskeyword
from types import CodeType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from adksess.cli.command import Command, with_plain_types
from adksess.cli.errors import KNOWN, ExitCode, UsageProblem, debugging, fail, naming
from adksess.cli.render.streams import OutputError, prepared_streams

_PANELS = {
    "Run agents": ("serve", "init", "adk", "doctor", "servers"),
    "Inspect": ("list", "show", "open", "search", "tail", "stats"),
    "Modify": ("ttl", "title", "state", "delete", "trim", "flush"),
    "Transfer": ("export", "import", "copy", "move", "migrate"),
    "Help": ("help", "completion"),
}
_PANEL_OF = {name: panel for panel, names in _PANELS.items() for name in names}

_ALIASES = {"ls": "list", "rm": "delete"}


class _Commands(TyperGroup):
    """The commands, each imported when it is needed."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(_PANEL_OF)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _PANEL_OF:
            return None
        module = import_module(_module_of(name))
        (found,) = [value for value in vars(module).values() if isinstance(value, Command)]
        return found.build(cmd_name, _PANEL_OF[name])

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Find the command to run. For a wrong name, Typer suggests one of `commands`."""
        names: dict[str, Any] = dict.fromkeys(_PANEL_OF)
        self.commands = names
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Print the help with commands that have a summary only: no module is imported."""
        summaries = [
            TyperCommand(name, help=_summary(_module_of(name)), rich_help_panel=panel)
            for name, panel in _PANEL_OF.items()
        ]
        TyperGroup(
            commands=summaries,
            params=with_plain_types(self.get_params(ctx)),
            help=self.help,
            epilog=self.epilog,
            rich_markup_mode=self.rich_markup_mode,
            add_help_option=False,
        ).format_help(ctx, formatter)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        with naming(ctx):
            return super().parse_args(ctx, args)


def _module_of(name: str) -> str:
    return f"adksess.cli.commands.{name}{'_' if iskeyword(name) else ''}"


def _summary(module: str) -> str:
    """Return the docstring of a module's first public function, which is its command.

    It is read from the compiled module, which is not run: to import all takes 20 % of --help.
    """
    loader = getattr(find_spec(module), "loader", None)
    code = loader.get_code(module) if loader else None
    for item in code.co_consts if code else ():
        if isinstance(item, CodeType) and item.co_flags & CO_OPTIMIZED and item.co_name[0] != "_":
            return str(item.co_consts[0])
    return ""


app = typer.Typer(
    name="adksess",
    cls=_Commands,
    help="Redis sessions for Google ADK agents: serve agents, inspect and manage sessions.",
    epilog="Start here: adksess serve --demo",
    add_completion=False,  # `adksess completion` has scripts that evaluate nothing
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
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show tracebacks of errors and the commands sent to Redis, no secrets."
        ),
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """Run the command line and exit with its code."""
    if "_ADKSESS_COMPLETE" in os.environ:
        # A completion script that Typer installed for an earlier version: it evaluates the answer.
        sys.exit(ExitCode.OK)
    if _take("--no-color"):
        os.environ["NO_COLOR"] = "1"
    debugs = _take("--debug")
    with prepared_streams() as (output, messages), debugging() if debugs else nullcontext():
        code = _run()
        try:
            output.flush()
            messages.flush()
        except OutputError as exc:
            code = fail(exc)
    sys.exit(code or (ExitCode.FAILED if messages.has_failed else ExitCode.OK))


def _run() -> int:
    """Run the command, and return its exit code."""
    try:
        return int(app(standalone_mode=False) or ExitCode.OK)
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except KNOWN as exc:
        return fail(exc)
    except UnicodeEncodeError as exc:
        if exc.reason != "surrogates not allowed":
            raise
        # Python decodes arguments that are not UTF-8 so. File names may be like that, keys not.
        return fail(
            UsageProblem("A name on the command line is not valid text: write it in UTF-8.")
        )
    finally:
        if connection := sys.modules.get("adksess.cli.connection"):
            connection.close_embedded()


def _take(option: str) -> bool:
    """Remove an option that is allowed anywhere, and return whether it was given."""
    if option not in sys.argv or "adk" in sys.argv[1:2]:  # ADK has its own options
        return False
    sys.argv.remove(option)
    return True
