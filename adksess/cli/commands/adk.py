"""`adksess adk`: ADK's own command line with Redis sessions registered."""

from collections.abc import Sequence

import typer

from adksess.cli.command import StoreCommand, command

# ADK's commands that use a session service, and their options that choose one.
_SERVING = ("web", "api_server", "run")
_URI_OPTION = "--session_service_uri"
_OTHER_SERVICE_OPTIONS = ("--use_local_storage", "--no_use_local_storage", "--in_memory")


class PassThrough(StoreCommand):
    """A command that passes on all arguments unchanged, `--help` and `--` included."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        ctx.args = list(args)
        return []


@command(
    "adksess adk web agents",
    "adksess adk run --session_service_uri=redis://localhost:6379/0 agents/my_agent",
    kind=PassThrough,
)
def adk(ctx: typer.Context) -> None:
    """Run ADK's own command line with Redis sessions registered.

    All arguments are ADK's. `web`, `api_server` and `run` without --session_service_uri use the
    Redis that the environment or config.toml names.
    """
    from adksess.adk.launch import run_adk
    from adksess.adk.registry import register_services

    args = _with_session_service(ctx.args)
    register_services()
    raise typer.Exit(run_adk(args))


def _with_session_service(args: Sequence[str]) -> list[str]:
    """Add the URI of the environment's Redis if the arguments choose no session service.

    Prints on stderr where sessions go. Raises ServerUnavailable if that Redis does not answer.
    """
    from adksess.cli.connection import ConnectionOptions
    from adksess.cli.render.console import message, stderr
    from adksess.cli.runner import with_store

    words = _option_names(args)
    if not args or args[0] not in _SERVING or "--help" in words or _URI_OPTION in words:
        return list(args)
    connection = ConnectionOptions().resolve()
    other = next((word for word in words if word in _OTHER_SERVICE_OPTIONS), None)
    if other or connection.is_built_in:
        reason = f"{other} is given" if other else "ADKSESS_REDIS_URL is not set"
        advice = f"Leave out {other}" if other else "Set it, or pass --session_service_uri=URL"
        stderr().print(
            message("warning", f"Sessions are NOT stored in Redis: {reason}. {advice}."),
            soft_wrap=True,
        )
        return list(args)
    settings = connection.settings
    with_store(settings, lambda store: store.check())
    where = f"Sessions are stored in Redis at {settings.redacted} ({connection.origin})."
    stderr().print(message("note", where), soft_wrap=True)
    return [args[0], f"{_URI_OPTION}={settings.uri}", *args[1:]]


def _option_names(args: Sequence[str]) -> list[str]:
    """The arguments before `--`, each without `=VALUE`."""
    end = args.index("--") if "--" in args else len(args)
    return [word.partition("=")[0] for word in args[:end]]
