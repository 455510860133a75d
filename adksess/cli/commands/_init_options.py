"""`adksess init`: make ADK's own commands know redis://."""

from typing import Annotated

import typer

from adksess.cli.options import AgentsDirArgument, PrefixOption, RedisUrlOption, settings_from


def init(
    agents_dir: AgentsDirArgument = None,
    redis_url: RedisUrlOption = None,
    prefix: PrefixOption = None,
    agent: Annotated[
        bool,
        typer.Option(
            "--agent", help="Also in the folder of each agent, which is where `adk run` looks."
        ),
    ] = False,
) -> None:
    """Write the services.py with which plain `adk web` and deployed agents find redis://.

    ADK loads it before it chooses its session service. Where a file of yours is in the way, it
    is left as it is, and you are told what to add.
    """
    from pathlib import Path

    from adksess.cli.commands.init import init_folder

    is_done = init_folder(
        agents_dir or Path(), settings_from(redis_url, prefix=prefix), agents_too=agent
    )
    if not is_done:
        raise typer.Exit(1)
