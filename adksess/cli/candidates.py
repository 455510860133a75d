"""Candidates for shell completion; none if Redis does not answer quickly."""

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from adksess.store.keys import SessionRef

SECONDS = 0.5
"""How long a completion may take to ask Redis."""

_MAX_OFFERED = 100

# Shells insert a candidate into the command line, where it is code. Anyone who can create a session
# chooses its id: so only ids without characters that are special in bash, zsh or fish are offered.
_HARMLESS = re.compile(r"[\w\-.@/+,%:][\w\-.@/+=,%:]*")


def complete_id(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return ids that start with `incomplete`; app/user/id for an id like an option."""
    return _complete(
        ctx, incomplete, lambda ref: ref.path if ref.session_id[:1] == "-" else ref.session_id
    )


def complete_app(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return names of apps that have sessions."""
    return _complete(ctx, incomplete, lambda ref: ref.app_name)


def complete_user(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return users that have sessions."""
    return _complete(ctx, incomplete, lambda ref: ref.user_id)


def _complete(
    ctx: typer.Context, incomplete: str, word: "Callable[[SessionRef], str]"
) -> list[str]:
    with suppress(Exception):  # never print an error into a half-typed command line
        words = (name for name in sorted(_names(ctx, word)) if name.startswith(incomplete))
        return list(islice(filter(_HARMLESS.fullmatch, words), _MAX_OFFERED))
    return []


def _names(ctx: typer.Context, word: "Callable[[SessionRef], str]") -> set[str]:
    import asyncio
    from dataclasses import fields

    from adksess.cli.connection import ConnectionOptions
    from adksess.store.store import SessionStore

    settings = ConnectionOptions(
        **{item.name: ctx.params.get(item.name) for item in fields(ConnectionOptions)}
    ).settings(start=False)
    limit = str(SECONDS)
    settings = settings.with_options(socket_timeout=limit, socket_connect_timeout=limit)
    names: set[str] = set()

    async def scan() -> None:
        async with SessionStore(settings, retries=0) as store:
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    async for refs in store.scan_refs():
                        names.update(map(word, refs))

    asyncio.run(scan())
    return names
