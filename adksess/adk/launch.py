"""ADK's own command line, run in this process: the registration made before it holds in it."""

from collections.abc import Sequence
from pathlib import Path

import click
from google.adk.cli.cli_tools_click import main as adk


def run_adk(args: Sequence[str]) -> int:
    """Run `adk ARGS`. Returns its exit code; raises KeyboardInterrupt on Ctrl-C."""
    return _run(adk, args, "adksess adk")


def run_server(command: str, args: Sequence[str]) -> int:
    """Run ADK's `web` or `api_server` until it is stopped. Returns its exit code.

    Not through ADK's command group: on a first run that asks a question about telemetry on the
    terminal, and the server waits for the answer. Telemetry is then what it is by default, off.
    """
    return _run(adk.commands[command], args, "adksess serve")


def _run(command: click.Command, args: Sequence[str], name: str) -> int:
    try:
        code = command.main(args=list(args), prog_name=name, standalone_mode=False)
    except click.Abort:
        # Click's name for Ctrl-C. Its own answer would be "Aborted!" and exit code 1.
        raise KeyboardInterrupt from None
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    return code if isinstance(code, int) else 0


def parse_server_args(command: str, args: Sequence[str]) -> dict[str, object]:
    """ADK's own reading of the arguments of `web` or `api_server`: values by parameter name.

    Only ADK's parser knows which words are values of its options and which one is AGENTS_DIR.
    What was not given is absent. Raises ValueError with ADK's sentence about a wrong argument.
    """
    server = adk.commands[command]
    try:
        values, rest, _ = server.make_parser(click.Context(server)).parse_args(list(args))
    except click.UsageError as exc:
        raise ValueError(exc.format_message()) from exc
    if rest:
        raise ValueError(f"Got unexpected extra argument ({' '.join(rest)}).")
    # Click marks an argument that was not given with a value of its own kind.
    return {name: value for name, value in values.items() if isinstance(value, str | bool | list)}


def find_agents(agents_dir: Path, command: str) -> list[str]:
    """The names of the agents that ADK will offer from this folder, as its own loader sees them."""
    from google.adk.cli import fast_api

    # fast_api makes both names at first use, so that mypy knows them as `object`.
    name = "NestedAgentLoader" if command == "web" else "AgentLoader"
    names: list[str] = getattr(fast_api, name)(str(agents_dir)).list_agents()
    return names
