"""The command line's wiring: which commands there are, and what an error comes to."""

import sys
from typing import Annotated

import typer

from adksess.cli import adk, delete, doctor, flush, list_, serve, show, stats, ttl
from adksess.cli.errors import KNOWN, fail

app = typer.Typer(
    name="adksess",
    help="Redis sessions for Google ADK agents: serve agents, and see what is stored.",
    no_args_is_help=True,
    rich_markup_mode=None,
    # A traceback with local variables would show the Redis password.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(value: bool) -> None:
    if value:
        from adksess import __version__

        typer.echo(f"adksess {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None: ...


app.command("serve", context_settings={"ignore_unknown_options": True})(serve.serve)
app.command("list", cls=list_.Watchable)(list_.list_sessions)
app.command("show")(show.show)
app.command("ttl")(ttl.ttl)
app.command("delete")(delete.delete)
app.command("flush")(flush.flush)
app.command("stats")(stats.stats)
app.command("doctor")(doctor.doctor)
app.command("adk", cls=adk.PassThrough)(adk.adk)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app()
    except KNOWN as exc:
        sys.exit(fail(exc))
