"""`adksess servers`: the named servers of config.toml."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import command
from adksess.cli.config import complete_server
from adksess.cli.errors import UsageProblem
from adksess.cli.options import OutputFormat, OutputOption
from adksess.cli.render.styles import GOOD

if TYPE_CHECKING:
    from adksess.cli.config import Config, Server


class Action(StrEnum):
    """What to do with config.toml."""

    LIST = "list"
    ADD = "add"
    USE = "use"
    REMOVE = "remove"


_SYNTAX = {
    Action.LIST: "adksess servers",
    Action.ADD: "adksess servers add NAME URL",
    Action.USE: "adksess servers use NAME",
    Action.REMOVE: "adksess servers remove NAME",
}


@command(
    "adksess servers",
    "adksess servers add prod rediss://db:6379/0 --password-command 'pass show db'",
    "adksess servers use prod",
    "adksess list -s prod",
)
def servers(
    action: Annotated[
        Action, typer.Argument(help="What to do.", show_default=True, metavar="ACTION")
    ] = Action.LIST,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The server's name.",
            show_default=False,
            autocompletion=complete_server,
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="Its Redis URL; - reads it from stdin, so that a password is in no shell history.",
            show_default=False,
        ),
    ] = None,
    *,
    prefix: Annotated[
        str | None,
        typer.Option(
            "--prefix", metavar="TEXT", help="Prefix of all Redis keys.", show_default=False
        ),
    ] = None,
    password_command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="A command that prints the password.", show_default=False
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="A file with the password.", show_default=False),
    ] = None,
    protected: Annotated[
        bool,
        typer.Option(
            "--protected",
            help="Ask for the server's name before anything is deleted or overwritten.",
        ),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """List the named servers; add, use or remove one.

    The file is ~/.config/adksess/config.toml, or that of ADKSESS_CONFIG.
    Name one with --server, -s or ADKSESS_SERVER; `use` sets the default.
    """
    options: dict[str, str | bool | None] = {
        "prefix": prefix,
        "password_command": password_command,
        "password_file": str(password_file.absolute()) if password_file else None,
        "protected": protected or None,
    }
    _check_arguments(action, name, url, has_options=any(v is not None for v in options.values()))
    if action is Action.ADD:
        _add(str(name), str(url), {k: v for k, v in options.items() if v is not None})
    elif action is Action.USE:
        _use(str(name))
    elif action is Action.REMOVE:
        _remove(str(name))
    else:
        _list(output)


def _check_arguments(
    action: Action, name: str | None, url: str | None, *, has_options: bool
) -> None:
    needs = {Action.LIST: 0, Action.ADD: 2, Action.USE: 1, Action.REMOVE: 1}[action]
    if len([word for word in (name, url) if word is not None]) != needs:
        raise UsageProblem(f"Write {_SYNTAX[action]}. See adksess servers --help.")
    if has_options and action is not Action.ADD:
        raise UsageProblem(
            f"servers {action} takes no options for a server: they belong to {_SYNTAX[Action.ADD]}."
        )


def _list(output: OutputFormat) -> None:
    from adksess.cli.config import read_config
    from adksess.cli.connection import ConnectionOptions
    from adksess.cli.render.json_output import write_json

    config = read_config()
    origins = ConnectionOptions().origins()
    current = _current(config, origins)
    if output is OutputFormat.JSON:
        write_json([_fields(server, current) for server in config.servers.values()])
    else:
        _print_table(config, current, origins)


def _current(config: "Config", origins: list[str]) -> str | None:
    """The name of the server that a command without options uses, None if it has no name."""
    import os

    if origins[:1] == ["ADKSESS_SERVER"]:
        return os.environ["ADKSESS_SERVER"]
    return config.default if origins and origins[0].startswith("the default") else None


def _fields(server: "Server", current: str | None) -> dict[str, Any]:
    return {
        "name": server.name,
        "url": server.redacted,
        "prefix": server.prefix,
        "password": _password_source(server),
        "protected": server.protected,
        "current": server.name == current,
    }


def _password_source(server: "Server") -> str | None:
    """`command`, `file`, `url`, or None without a password."""
    if server.password_command is not None:
        return "command"
    if server.password_file is not None:
        return "file"
    return "url" if server.holds_password else None


def _print_table(config: "Config", current: str | None, origins: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from adksess.cli.render.console import message, stderr, stdout
    from adksess.cli.render.text import safe_text

    if not config.servers:
        sentence = f"There are no servers in {config.path}. Add one: {_SYNTAX[Action.ADD]}"
        stderr().print(message("note", sentence))
        return
    rows = Table.grid(padding=(0, 2))
    for _ in range(4):
        rows.add_column(overflow="fold")
    rows.add_row("", "NAME", "URL", "OPTIONS", style="bold")
    for server in config.servers.values():
        fields = _fields(server, current)
        notes = [
            *([f"prefix {server.prefix}"] if server.prefix else []),
            *([f"password from {fields['password']}"] if fields["password"] else []),
            *(["protected"] if server.protected else []),
        ]
        rows.add_row(
            Text("*" if fields["current"] else "", style=f"bold {GOOD}"),
            Text(safe_text(server.name), style="bold"),
            Text(fields["url"]),
            Text(safe_text(", ".join(notes))),
        )
    stdout().print(rows)
    if origins and current is None:
        sentence = f"Commands use the Redis that {origins[0]} names, not one of these."
        stderr().print(message("note", sentence))
    if config.is_exposed:
        sentence = f"Other users can read {config.path}, which has a password: chmod 600 it."
        stderr().print(message("warning", sentence))


def _add(name: str, url: str, values: dict[str, str | bool]) -> None:
    from adksess.cli.config import NAME, read_config
    from adksess.cli.config_edit import add_server
    from adksess.store.settings import Settings

    if not NAME.fullmatch(name):
        raise UsageProblem(f"{name!r} cannot be a name: use letters, digits, - and _.")
    config = read_config()
    if name in config.servers:
        raise UsageProblem(
            f"There is a server {name} in {config.path} already: remove it first, or edit the file."
        )
    if "password_command" in values and "password_file" in values:
        raise UsageProblem("--password-command and --password-file exclude each other.")
    is_from_stdin = url == "-"
    url = _read_url() if is_from_stdin else url
    Settings.parse(url)  # raises InvalidURL
    add_server(config.path, name, {"url": url, **values})
    has_password = read_config().servers[name].holds_password
    _report(f"Added {name} to {config.path}.")
    if has_password and not is_from_stdin:
        _warn(
            "The password is in your shell's history now. Next time pass - as the URL, or use "
            "--password-command."
        )
    if config.default is None:
        _report(f"Use it with --server {name}, or for every command: adksess servers use {name}")


def _read_url() -> str:
    """The URL from stdin; typed on a terminal it is not shown."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Redis URL (not shown): ").strip()
    return sys.stdin.readline().strip()


def _use(name: str) -> None:
    from adksess.cli.config import read_config
    from adksess.cli.config_edit import set_default
    from adksess.cli.connection import ConnectionOptions

    config = read_config()
    config.server(name, "servers use")
    set_default(config.path, name)
    _report(f"Commands without --server use {name} now.")
    stronger = [origin for origin in ConnectionOptions().origins() if origin.isupper()]
    if stronger:
        _warn(f"{stronger[0]} is set in this shell, and overrides it.")


def _remove(name: str) -> None:
    from adksess.cli.config import read_config
    from adksess.cli.config_edit import remove_server

    config = read_config()
    config.server(name, "servers remove")
    remove_server(config.path, name)
    _report(f"Removed {name} from {config.path}. Its sessions were not changed.")
    if config.default == name:
        _report("It was the default: no default is set now.")


def _report(sentence: str) -> None:
    from adksess.cli.render.console import stderr
    from adksess.cli.render.text import safe_text

    stderr().print(safe_text(sentence), markup=False)


def _warn(sentence: str) -> None:
    from adksess.cli.render.console import message, stderr

    stderr().print(message("warning", sentence))
