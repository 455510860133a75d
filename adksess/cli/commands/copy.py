"""`adksess copy`: a copy of a session, whole or as it was before an event."""

from typing import TYPE_CHECKING, Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.options import IdArgument, QuietOption

if TYPE_CHECKING:
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore
    from adksess.transfer.copy import CopyOptions, CopyResult

_KEYS_SHOWN = 5


@command(
    "adksess copy 8e42",
    "adksess copy 8e42 --before 7 --to-id what-if",
    "adksess copy 8e42 --to-url redis://staging:6379/0 --ttl 7d",
)
def copy(
    session: IdArgument,
    *,
    to_id: Annotated[
        str | None,
        typer.Option(
            "--to-id",
            metavar="ID",
            help="Id of the copy.",
            show_default="a new one; the same for another user, app or Redis",
        ),
    ] = None,
    to_user: Annotated[
        str | None, typer.Option("--to-user", metavar="USER", help="User of the copy.")
    ] = None,
    to_app: Annotated[
        str | None, typer.Option("--to-app", metavar="APP", help="App of the copy.")
    ] = None,
    to_url: Annotated[
        str | None,
        typer.Option("--to-url", metavar="URL", help="Copy to another Redis.", show_default=False),
    ] = None,
    to_prefix: Annotated[
        str | None,
        typer.Option(
            "--to-prefix", metavar="TEXT", help="Prefix of the keys there.", show_default=False
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(
            "--before",
            metavar="N|INVOCATION",
            help="Copy the conversation as it was before event N (from 1) or that invocation, "
            "with the state of that moment.",
            show_default=False,
        ),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="DURATION",
            help="TTL of the copy, kept at every append: 15m, 2h, 7d, or never (0).",
            show_default="the remaining TTL",
        ),
    ] = None,
    quiet: QuietOption = False,
    connection: ConnectionOptions,
) -> None:
    """Copy a session. The copy continues independently; the original is not changed."""
    from adksess.store.durations import parse_duration
    from adksess.transfer.copy import CopyOptions

    settings = connection.settings()
    options = CopyOptions(
        session_id=to_id,
        user_id=to_user,
        app_name=to_app,
        before=int(before) if before is not None and before.isdecimal() else before,
        ttl=None if ttl is None else parse_duration(ttl),
    )
    target = _target(settings, to_url, to_prefix)
    name, result = _copy(settings, target, session, options)
    if not quiet:
        _print_report(name, result, is_other_redis=target is not None)


def _target(settings: "Settings", url: str | None, prefix: str | None) -> "Settings | None":
    """Return the settings of the target, None if it is the same Redis and prefix."""
    from dataclasses import replace

    from adksess.store.settings import Settings

    if url is not None:
        return Settings.parse(url, prefix=prefix)
    return None if prefix is None else replace(settings, prefix=prefix)


def _copy(
    settings: "Settings", target: "Settings | None", session: str, options: "CopyOptions"
) -> "tuple[str, CopyResult]":
    from contextlib import AsyncExitStack

    from adksess.cli.runner import with_store
    from adksess.cli.selection import resolve_one
    from adksess.store.store import SessionStore
    from adksess.transfer.copy import copy_session

    async def run(store: "SessionStore") -> "tuple[str, CopyResult]":
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(SessionStore(target)) if target else None
            found = await resolve_one(store, session)
            return found.ref.path, await copy_session(store, found.ref, options, other)

    return with_store(settings, run)


def _print_report(name: str, result: "CopyResult", *, is_other_redis: bool) -> None:
    from adksess.cli.render.console import message, stderr, stdout
    from adksess.cli.render.text import counted, safe_text

    events = counted(result.event_count, "event")
    stdout().print(
        safe_text(f"Copied {name} to {result.ref.path} ({events})."), markup=False, soft_wrap=True
    )
    if result.unknown:
        shown = ", ".join(result.unknown[:_KEYS_SHOWN])
        more = f" and {len(result.unknown) - _KEYS_SHOWN:,} more"
        keys = shown + (more if len(result.unknown) > _KEYS_SHOWN else "")
        stderr().print(
            message(
                "note",
                f"Set by later events only, so not in the copy: {keys}. A value that was given at "
                "creation is not known.",
            )
        )
    if result.shared:
        where = "the other Redis" if is_other_redis else "the other user or app"
        stderr().print(message("note", f"app: and user: state was not copied to {where}."))
