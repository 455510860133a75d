"""Confirmation prompts."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adksess.cli.errors import Declined, Interrupted, UsageProblem
from adksess.cli.render.console import stderr
from adksess.cli.render.text import safe_text

if TYPE_CHECKING:
    from adksess.cli.options import ChangeOptions


@dataclass(frozen=True)
class Target:
    """The server on which something is changed.

    `address` has no password. `name` is its name in config.toml, which has to be typed to confirm
    if `is_protected`.
    """

    address: str
    name: str | None = None
    is_protected: bool = False

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else self.address


def confirm(
    action: str, answer: "ChangeOptions", target: Target, *, count: int | None = None
) -> None:
    """Ask on the terminal, unless an option confirms.

    `action` is what will be done, such as `delete 3 sessions`. With a `count`, the count has to be
    typed; on a protected server the name of the server, and --yes is not enough. Raises Declined,
    or UsageProblem for a wrong --confirm and without a terminal.
    """
    _confirm(action, target, yes=answer.yes, given=answer.confirm, count=count)


def confirm_protected(action: str, given: str | None, target: Target) -> None:
    """Ask for the name of a protected server, unless `given` (by --confirm) is its name.

    On any other server nothing is asked. Raises as confirm() does.
    """
    if target.is_protected or given is not None:
        _confirm(action, target, yes=False, given=given)


def _confirm(
    action: str, target: Target, *, yes: bool, given: str | None, count: int | None = None
) -> None:
    if given is not None and given != target.name:
        named = f"it is {target.name}" if target.name else "it has no name"
        raise UsageProblem(f"--confirm {given} does not name the server: {named}.")
    if given is not None or (yes and not target.is_protected):
        return
    if yes:
        raise UsageProblem(
            f"The server {target.name} is protected, and --yes is not enough: add "
            f"--confirm {target.name} to {action} in {target}."
        )
    if not sys.stdin.isatty():
        option = f"--confirm {target.name}" if target.is_protected else "--yes"
        raise UsageProblem(f"There is no terminal to ask on: add {option} to {action} in {target}.")
    question = f"{action[0].upper()}{action[1:]} in {target}?"
    if target.is_protected and target.name:
        accepted = _ask(f"{question} Type {target.name} to confirm: ") == target.name
    elif count is not None:
        accepted = _ask(f"{question} Type {count} to confirm: ").replace(",", "") == str(count)
    else:
        accepted = _ask(f"{question} [y/N] ").lower() in ("y", "yes")
    if not accepted:
        raise Declined


def _ask(question: str) -> str:
    """Return the line that is typed. Raises Declined for Ctrl-D and Interrupted for Ctrl-C."""
    # typer.confirm(err=True) prints the last character of the question on stdout.
    console = stderr()
    try:
        console.print(safe_text(question), end="", markup=False)
        sys.stderr.flush()
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        console.print()
        raise Interrupted from None
    if not line:
        console.print()
        raise Declined
    return line.strip()
