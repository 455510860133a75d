"""The banner of `adksess serve`: addresses, agents, where sessions go, the next command."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adksess import __version__
from adksess.cli.config import Server
from adksess.cli.connection import Connection, ConnectionOptions
from adksess.cli.render.console import message, stderr
from adksess.cli.render.shell import URL_VARIABLE, holds_secret, url_word
from adksess.cli.render.styles import ID, MUTED
from adksess.cli.render.text import safe_text
from adksess.embedded import EmbeddedServer
from adksess.store.durations import format_duration
from adksess.store.settings import DEFAULT_TTL

_MAX_ADDRESSES = 5


@dataclass(frozen=True)
class Banner:
    """The content of the banner.

    `redis_server` is the name and version of the Redis; `embedded` is set if it is an embedded
    one.
    """

    connection: Connection
    redis_server: str
    embedded: EmbeddedServer | None
    agents: tuple[str, ...]
    host: str
    port: int
    url_prefix: str
    api: bool
    warnings: Sequence[str] = ()


def print_banner(banner: Banner) -> None:
    """Print the banner on stderr."""
    console = stderr()
    heading = Text.assemble(
        ("adksess", f"bold {ID}"),
        f" {__version__} ",
        (f"with ADK {version('google-adk')}, sessions in {banner.redis_server}", MUTED),
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style=MUTED, no_wrap=True)
    rows.add_column(overflow="fold")
    labels = ("API" if banner.api else "Open", *[""] * _MAX_ADDRESSES)
    for label, url in zip(labels, addresses(banner), strict=False):
        rows.add_row(label, Text(url, style=f"bold {ID}"))
    rows.add_row("Agents", Text(safe_text(", ".join(banner.agents))))
    settings = banner.connection.settings
    rows.add_row("Sessions", Text(settings.redacted))
    if banner.connection.server:
        rows.add_row("", Text(safe_text(_named(banner.connection.server))))
    if banner.embedded:
        rows.add_row("", Text(_embedded(banner.embedded)))
    if settings.prefix:
        rows.add_row("Prefix", Text(safe_text(settings.prefix)))
    rows.add_row("Expire", Text(_lifetime(settings.ttl)))
    rows.add_row("Next", Text(next_command(banner), style="bold"))
    rows.add_row("", Text(_where_to_type(banner)))
    console.print(Padding(Group(heading, "", rows), (1, 0, 1, 2), expand=False))
    for warning in banner.warnings:
        console.print(message("warning", f"{warning}\n"))


def addresses(banner: Banner) -> list[str]:
    """Return the URLs to open: each agent's chat, one page for many agents, or the API's docs."""
    url = server_url(banner.host, banner.port, banner.url_prefix)
    if banner.api:
        return [f"{url}/docs"]
    if len(banner.agents) > _MAX_ADDRESSES:
        return [f"{url}/dev-ui/"]
    return [f"{url}/dev-ui/?app={quote(agent)}" for agent in banner.agents]


def server_url(host: str, port: int, url_prefix: str) -> str:
    """Return the web server's address for a browser on this machine, without a final slash."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    return f"http://{shown}:{port}{url_prefix.rstrip('/')}"


def next_command(banner: Banner) -> str:
    """Return the shell command that lists these sessions, without a password."""
    return adksess_command(banner.connection, "list")


def adksess_command(connection: Connection, *words: str) -> str:
    """Return a shell command for this Redis, without a password."""
    command = shlex.join([*_program(), *words])
    if connection.server:
        command += f" -s {shlex.quote(safe_text(connection.server.name))}"
    elif not (connection.is_built_in and not ConnectionOptions().origins()):
        command += f" -r {url_word(connection.settings)}"
    prefix = connection.settings.prefix
    if prefix and not (connection.server and connection.server.prefix == prefix):
        command += f" --prefix {shlex.quote(safe_text(prefix))}"
    return command


def _where_to_type(banner: Banner) -> str:
    needed = ""
    if banner.embedded:
        needed = ", in this folder"
    elif (
        not banner.connection.server
        and holds_secret(banner.connection.settings)
        and URL_VARIABLE not in os.environ
    ):
        needed = f", with {URL_VARIABLE} set to this URL"
    return f"in another terminal{needed}; Ctrl-C stops this server"


def _program() -> list[str]:
    """How to call adksess in another terminal: after `make serve` it is not on the PATH."""
    if shutil.which("adksess"):
        return ["adksess"]
    script = Path(sys.argv[0])
    if script.name != "adksess":
        return ["python", "-m", "adksess"]
    return [os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)]


def _named(server: Server) -> str:
    return f"server {server.name}{', protected' if server.protected else ''}"


def _embedded(server: EmbeddedServer) -> str:
    data_dir = server.data_dir
    folder = f"{data_dir.name}/" if data_dir.parent == Path.cwd() else safe_text(str(data_dir))
    states = {"shared": server.is_shared, "recovered": server.is_recovered}
    state = next((f" ({name})" for name, is_so in states.items() if is_so), "")
    return f"embedded{state}, data in {folder}"


def _lifetime(ttl: int) -> str:
    if not ttl:
        return "never"
    lifetime = f"{format_duration(ttl)} after their last event"
    if ttl > DEFAULT_TTL:
        return lifetime
    return f"{lifetime}; to keep them: --ttl 30d, or adksess ttl ID --persist"
