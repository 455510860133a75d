"""Asking before something is lost."""

import sys

from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import stderr
from adksess.store.errors import AdksessError


class Declined(AdksessError):
    """The answer was no."""


def confirm(action: str, *, yes: bool) -> None:
    """Ask on the terminal, unless `yes`. Raises Declined, or UsageProblem without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageProblem(f"There is no terminal to ask on: add --yes to {action}.")
    stderr().print(f"{action[0].upper()}{action[1:]}? [y/N] ", end="", markup=False)
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("Nothing was changed.")
