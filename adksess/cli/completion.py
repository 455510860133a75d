"""Shell completion from Redis: quick, and silent when it does not answer."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

import typer

_SECONDS = 0.5
_MOST = 100


def complete_id(ctx: typer.Context, incomplete: str) -> list[str]:
    """Session ids that start with what is typed."""
    return _complete(ctx, incomplete, lambda ref: ref[2])


def complete_app(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of apps that have sessions."""
    return _complete(ctx, incomplete, lambda ref: ref[0])


def complete_user(ctx: typer.Context, incomplete: str) -> list[str]:
    """Users that have sessions."""
    return _complete(ctx, incomplete, lambda ref: ref[1])


def _complete(
    ctx: typer.Context, incomplete: str, part: Callable[[tuple[str, str, str]], str]
) -> list[str]:
    with suppress(Exception):  # a person is typing: nothing that goes wrong here may show
        return list(islice(_words(ctx, incomplete, part), _MOST))
    return []


def _words(
    ctx: typer.Context, incomplete: str, part: Callable[[tuple[str, str, str]], str]
) -> Iterator[str]:
    import asyncio
    from dataclasses import fields

    from adksess.cli.connection import ConnectionOptions
    from adksess.cli.render.text import safe_text
    from adksess.store.store import SessionStore

    settings = ConnectionOptions(
        **{f.name: ctx.params.get(f.name) for f in fields(ConnectionOptions)}
    ).settings()
    patience = str(_SECONDS)
    settings = settings.with_options(socket_timeout=patience, socket_connect_timeout=patience)
    found: dict[str, None] = {}

    async def look() -> None:
        async with SessionStore(settings, retries=0) as store:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    async for refs in store.scan_refs():
                        found.update((part(ref), None) for ref in refs)

    asyncio.run(look())
    for word in sorted(found):
        if word.startswith(incomplete) and safe_text(word) == word and " " not in word:
            yield word
