"""`adksess title`: set the title of a session, as ADK's web UI shows it."""

from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.options import ConfirmOption, IdArgument

if TYPE_CHECKING:
    from adksess.store.store import SessionStore


@command("adksess title 8e42 'Refund for order 17'")
def title(
    session: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The new title.")],
    *,
    confirm: ConfirmOption = None,
    connection: ConnectionOptions,
) -> None:
    """Set the title of a session, through an event as a rename in ADK's web UI does."""
    from adksess.cli.prompts import confirm_protected
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text
    from adksess.cli.runner import with_store
    from adksess.cli.selection import resolve_one
    from adksess.transfer.edit import set_title

    async def run(store: "SessionStore") -> str:
        ref = (await resolve_one(store, session)).ref
        await set_title(store, ref, text)
        return ref.path

    settings = connection.settings()
    confirm_protected(f"set the title of {session}", confirm, connection.target(settings))
    path = with_store(settings, run)
    stdout().print(safe_text(f"Set the title of {path}: {text}"), markup=False, soft_wrap=True)
