"""The command line's wiring: which commands there are, and what an error comes to."""

import gc
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from adksess.cli import (
    adk,
    delete,
    doctor,
    export,
    flush,
    import_,
    init,
    list_,
    migrate,
    serve,
    show,
    stats,
    trim,
    ttl,
)
from adksess.cli.errors import KNOWN, ExitCode, fail

app = typer.Typer(
    name="adksess",
    help="Redis sessions for Google ADK agents: serve agents, and see what is stored.",
    epilog="Start here: adksess serve --demo",
    rich_markup_mode="rich",
    # A traceback with local variables would show the Redis password.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

_RUN, _SEE, _CHANGE, _MOVE = "Run agents", "See sessions", "Change sessions", "Move sessions"


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


def _add(
    panel: str, name: str, command: Callable[..., Any], *examples: str, **settings: Any
) -> None:
    lines = "\n\n".join(["Examples:", *(f"  {example}" for example in examples)])
    app.command(name, rich_help_panel=panel, epilog=lines, **settings)(command)


_add(
    _RUN,
    "serve",
    serve.serve,
    "adksess serve --demo",
    "adksess serve agents --ttl 7d",
    "adksess serve agents -r redis://db.internal:6379/0 --api --port 9000",
    context_settings={"ignore_unknown_options": True},
)
_add(
    _RUN,
    "init",
    init.init,
    "adksess init agents",
    "adksess init agents --agent",
)
_add(
    _RUN,
    "adk",
    adk.adk,
    "adksess adk web --session_service_uri=redis://localhost:6379/0 agents",
    "adksess adk run --session_service_uri=redis://localhost:6379/0 agents/my_agent",
    cls=adk.PassThrough,
)
_add(
    _RUN,
    "doctor",
    doctor.doctor,
    "adksess doctor",
    "adksess doctor agents -r redis://db.internal:6379/0",
    "adksess doctor --fix",
)
_add(
    _SEE,
    "list",
    list_.list_sessions,
    "adksess list --app demo --since 2h",
    "adksess list --column state.topic --watch",
    "adksess list -o json -n 0 | jq '.[].session_id'",
    cls=list_.Watchable,
)
_add(
    _SEE,
    "show",
    show.show,
    "adksess show 8e42",
    "adksess show demo/ada/8e42aa01 --events all --follow",
    "adksess show 8e42 -o json | jq .state",
)
_add(_SEE, "stats", stats.stats, "adksess stats", "adksess stats --since 7d -o json")
_add(
    _CHANGE,
    "ttl",
    ttl.ttl,
    "adksess ttl 8e42",
    "adksess ttl 8e42 --set 7d",
    "adksess ttl --no-ttl --set 30d --yes",
)
_add(
    _CHANGE,
    "delete",
    delete.delete,
    "adksess delete 8e42",
    "adksess delete --idle 90d --yes",
    "adksess list --app demo -o ids -n 0 | adksess delete - --yes",
)
_add(
    _CHANGE,
    "trim",
    trim.trim,
    "adksess trim 8e42 --keep-last 20",
    "adksess trim --app demo --keep-last 50 --dry-run",
)
_add(
    _CHANGE,
    "flush",
    flush.flush,
    "adksess flush --dry-run",
    "adksess flush --app demo --yes",
)
_add(
    _MOVE,
    "export",
    export.export,
    "adksess export --out sessions.ndjson.gz",
    "adksess export 8e42 | jq .",
)
_add(
    _MOVE,
    "import",
    import_.import_sessions,
    "adksess import sessions.ndjson.gz --dry-run",
    "adksess import sessions.ndjson.gz --on-conflict skip",
)
_add(
    _MOVE,
    "migrate",
    migrate.migrate,
    "adksess migrate --detect",
    "adksess migrate --from sqlite:///sessions.db --dry-run",
)


def main() -> None:
    """Run the command line and exit with its code."""
    if _take_no_color(sys.argv):
        os.environ["NO_COLOR"] = "1"
    if sys.argv[1:2] not in (["serve"], ["adk"]):
        # A command that reads 100,000 sessions spends a quarter of its time on collections that
        # find nothing; the servers keep Python's own setting.
        gc.set_threshold(100_000)
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
