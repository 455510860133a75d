"""`adksess adk`: ADK's own command line with Redis sessions registered."""

import typer
from typer.core import TyperCommand

from adksess.cli.command import command


class PassThrough(TyperCommand):
    """A command that passes on all arguments unchanged, `--help` and `--` included."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        ctx.args = list(args)
        return []


@command(
    "adksess adk web --session_service_uri=redis://localhost:6379/0 agents",
    "adksess adk run --session_service_uri=redis://localhost:6379/0 agents/my_agent",
    kind=PassThrough,
)
def adk(ctx: typer.Context) -> None:
    """Run ADK's own command line with Redis sessions registered.

    All arguments are ADK's: adksess adk web --session_service_uri=redis://localhost:6379/0 agents
    """
    from adksess.adk.launch import run_adk
    from adksess.adk.registry import register_services

    register_services()
    raise typer.Exit(run_adk(ctx.args))
