"""`adksess serve`: ADK's web server with its sessions in Redis."""

from typing import Annotated

import typer

from adksess.cli.errors import UsageProblem
from adksess.cli.options import PrefixOption, RedisUrlOption, TtlOption, settings_from


def serve(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="AGENTS_DIR | ADK_OPTIONS",
            help="A folder of agents, or of one agent; the current folder if left out. Every "
            "option that is not listed here goes to ADK unchanged, such as --reload_agents or "
            "--log_level DEBUG.",
            show_default=False,
        ),
    ] = None,
    redis_url: RedisUrlOption = None,
    ttl: TtlOption = None,
    prefix: PrefixOption = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, metavar="PORT", help="The port to listen on; 0 takes a free one."
        ),
    ] = 8000,
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve the demo agent: no model, no key, no network.")
    ] = False,
    api: Annotated[
        bool, typer.Option("--api", help="ADK's api_server instead of the web UI.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Print a line for each session created. ADK's own details: --log_level DEBUG.",
        ),
    ] = False,
    embedded: Annotated[
        bool | None,
        typer.Option(
            "--embedded/--no-embedded",
            help="Use the embedded Valkey, its data in .adksess/ here, even if the environment "
            "names a Redis; or never use it.",
            show_default="if no URL is given and no Redis is at the default address",
        ),
    ] = None,
) -> None:
    """Serve agents with ADK's web UI, their sessions in Redis.

    Ctrl-C stops the server; the sessions stay.
    """
    from adksess.cli.commands.serve.server import ServeOptions, serve_agents

    if embedded and _is_on_command_line(ctx, "redis_url"):
        raise UsageProblem("--embedded and --redis-url exclude each other: leave one of them out.")
    code = serve_agents(
        ServeOptions(
            settings=settings_from(None if embedded else redis_url, ttl=ttl, prefix=prefix),
            url_given=redis_url is not None,
            adk_args=words or [],
            command="api_server" if api else "web",
            host=host,
            port=port,
            demo=demo,
            verbose=verbose,
            embedded=embedded,
        )
    )
    raise typer.Exit(code)


def _is_on_command_line(ctx: typer.Context, parameter: str) -> bool:
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"
