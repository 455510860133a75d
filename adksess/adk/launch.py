"""ADK's command line, run in this process so that registered services stay registered."""

from collections.abc import Sequence

import click
from google.adk.cli.cli_tools_click import main as adk


class InvalidServerArgs(ValueError):
    """ADK rejects the arguments. `parameter` is the name of the rejected one, if ADK gives it."""

    def __init__(self, message: str, parameter: str | None) -> None:
        super().__init__(message)
        self.parameter = parameter


def run_adk(args: Sequence[str]) -> int:
    """Run `adk ARGS`. Returns its exit code; raises KeyboardInterrupt on Ctrl-C."""
    return _run(adk, args, "adksess adk")


def run_server(command: str, args: Sequence[str]) -> int:
    """Run ADK's `web` or `api_server` until it is stopped. Returns its exit code.

    Calls the subcommand directly: on the first run ADK's command group asks a question about
    telemetry on the terminal and blocks the server until it is answered. Telemetry keeps its
    default, off.
    """
    return _run(adk.commands[command], args, "adksess serve")


def _run(command: click.Command, args: Sequence[str], name: str) -> int:
    try:
        code = command.main(args=list(args), prog_name=name, standalone_mode=False)
    except click.Abort:
        # Click's name for Ctrl-C; standalone it would print "Aborted!" and exit with 1.
        raise KeyboardInterrupt from None
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    return code if isinstance(code, int) else 0


def parse_server_args(command: str, args: Sequence[str]) -> dict[str, object]:
    """Return the given arguments of `web` or `api_server` by parameter name, as ADK parses them.

    Only ADK's parser can tell the values of its options from AGENTS_DIR. Parameters left at their
    default are absent. Raises InvalidServerArgs with ADK's sentence.
    """
    try:
        context = adk.commands[command].make_context(command, list(args))
    except click.UsageError as exc:
        parameter = getattr(getattr(exc, "param", None), "name", None)
        raise InvalidServerArgs(exc.format_message(), parameter) from exc
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
