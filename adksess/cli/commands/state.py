"""`adksess state`: read and change the state of a session, a user or an app."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.candidates import complete_id
from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import UsageProblem
from adksess.cli.options import ConfirmOption
from adksess.store.errors import SessionNotFound

if TYPE_CHECKING:
    from adksess.store.settings import Settings
    from adksess.transfer.state_owner import Owner


class Action(StrEnum):
    """What `state` does."""

    GET = "get"
    SET = "set"
    UNSET = "unset"


class KeyNotFound(SessionNotFound):
    """A state has no such key."""


@dataclass(frozen=True)
class StateOptions:
    """Options of `state`. `key` is None for all keys."""

    action: Action
    where: str
    key: str | None
    value: Any = None


@command(
    "adksess state get 8e42",
    "adksess state get demo/ada name",
    "adksess state set 8e42 topic '\"math\"'",
    "adksess state set demo banner 'Closed on Monday' --text",
    "adksess state unset demo/ada name",
)
def state(
    action: Annotated[Action, typer.Argument(metavar="get|set|unset", help="What to do.")],
    where: Annotated[
        str,
        typer.Argument(
            metavar="WHERE",
            help="APP, APP/USER, or a session by its id, a prefix of it, or app/user/id; or a "
            "whole key, where that is ambiguous.",
            autocompletion=complete_id,
        ),
    ],
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A key; get without one prints all.")
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="JSON", help="The value to set, as JSON.")
    ] = None,
    *,
    text: Annotated[bool, typer.Option("--text", help="The value is text, not JSON.")] = False,
    confirm: ConfirmOption = None,
    connection: ConnectionOptions,
) -> None:
    """Get, set or unset values of state.

    A session is changed through an event, as ADK does, so that its history and state agree. Of a
    session, unset sets a key to null, which is ADK's way; of an app or a user it removes the key.
    """
    options = StateOptions(action, where, key, _value(action, key, value, is_text=text))
    settings = connection.settings()
    if action is not Action.GET:
        from adksess.cli.prompts import confirm_protected

        target = connection.target(settings)
        confirm_protected(f"{action} {key} of {where}", confirm, target)
    result = _run(settings, options)
    if action is Action.GET:
        from adksess.cli.render.json_output import write_json

        write_json(result)
    else:
        from adksess.cli.render.console import stdout
        from adksess.cli.render.text import safe_text

        verb = "Set" if action is Action.SET else "Unset"
        stdout().print(safe_text(f"{verb} {key} of {result}."), markup=False, soft_wrap=True)


def _value(action: Action, key: str | None, value: str | None, *, is_text: bool) -> Any:
    """Check the arguments and parse the value. Raises UsageProblem."""
    from adksess.store.document import parse_json

    if action is not Action.GET and not key:
        raise UsageProblem(f"adksess state {action} needs a KEY.")
    if action is not Action.SET:
        if value is not None or is_text:
            raise UsageProblem(f"adksess state {action} takes no value.")
        return None
    if value is None:
        raise UsageProblem(
            "adksess state set needs a value: JSON such as 3 or '\"math\"', or --text."
        )
    if is_text:
        return value
    try:
        return parse_json(value.encode())
    except ValueError:
        raise UsageProblem(
            "The value is not JSON: quote texts as '\"math\"', or add --text."
        ) from None


def _run(settings: "Settings", options: StateOptions) -> Any:
    """Return the value or all values for get, else the name of what was changed."""
    from adksess.cli.runner import with_store
    from adksess.store.store import SessionStore
    from adksess.transfer.state_owner import find_owner

    async def run(store: SessionStore) -> Any:
        owner = await find_owner(store, options.where)
        if options.action is Action.GET:
            return _chosen(await owner.values(store), owner, options.key)
        key = options.key or ""
        if options.action is Action.SET:
            await owner.set(store, key, options.value)
        elif not await owner.unset(store, key):
            raise _missing(owner, key)
        return owner.name

    return with_store(settings, run)


def _chosen(values: dict[str, Any], owner: "Owner", key: str | None) -> Any:
    if key is None:
        return values
    if key not in values:
        raise _missing(owner, key)
    return values[key]


def _missing(owner: "Owner", key: str) -> KeyNotFound:
    return KeyNotFound(f"The state of {owner.name} has no key {key!r}.")
