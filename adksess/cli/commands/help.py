"""`adksess help`: the help of a command, as `adksess COMMAND --help` prints it."""

from typing import Annotated

import typer
from typer.core import TyperGroup

from adksess.cli.command import command


@command(
    "adksess help",
    "adksess help list",
)
def show_help(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="COMMAND", help="A command.", show_default=False)
    ] = None,
) -> None:
    """Show the help of a command, or the list of commands."""
    root = ctx.find_root()
    if name is None:
        typer.echo(root.get_help())
        return
    assert isinstance(root.command, TyperGroup)
    _, found, _ = root.command.resolve_command(root, [name])
    assert found is not None
    # resilient: a help text needs no arguments
    with found.make_context(name, [], parent=root, resilient_parsing=True) as context:
        typer.echo(context.get_help())
