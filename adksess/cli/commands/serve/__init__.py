"""`adksess serve`: ADK's web server with sessions in Redis."""

from typing import Annotated

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import TtlOption


@command(
    "adksess serve --demo",
    "adksess serve agents --ttl 7d",
    "adksess serve agents -r redis://db.internal:6379/0 --api --port 9000",
    ignore_unknown_options=True,
)
def serve(
    ctx: typer.Context,
    args: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="AGENTS_DIR|ADK_OPTION",
            help="A folder of agents, or of one agent; default: the current folder. Options that "
            "are not listed here go to ADK unchanged, such as --reload_agents or "
            "--log_level DEBUG.",
            show_default=False,
        ),
    ] = None,
    *,
    ttl: TtlOption = None,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="Port to listen on; 0 selects a free one."
        ),
    ] = 8000,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Serve the demo agent: needs no model, API key or network."),
    ] = False,
    api: Annotated[
        bool, typer.Option("--api", help="Start ADK's api_server instead of the web UI.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Print a line for each created session. For ADK's own log: --log_level DEBUG.",
        ),
    ] = False,
    embedded: Annotated[
        bool | None,
        typer.Option(
            "--embedded/--no-embedded",
            help="Always use the embedded Valkey with its data in .adksess/, even if the "
            "environment names a Redis; or never use it.",
            show_default="if no URL is given and no Redis is at the default address",
        ),
    ] = None,
    connection: ConnectionOptions,
) -> None:
    """Serve agents with ADK's web UI and sessions in Redis.

    Ctrl-C stops the server. Sessions are kept.
    """

    from adksess.cli.commands.serve.server import ServeOptions, serve_agents

    if embedded and (connection.redis_url is not None or connection.server is not None):
        raise UsageProblem("--embedded cannot be combined with --redis-url or --server.")
    code = serve_agents(
        ServeOptions(
            connection=connection.built_in(ttl=ttl) if embedded else connection.resolve(ttl=ttl),
            adk_args=args or [],
            command="api_server" if api else "web",
            host=host,
            port=port,
            demo=demo,
            verbose=verbose,
            embedded=embedded,
        )
    )
    raise typer.Exit(code)
