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
from adksess.cli.render.console import message, stderr
from adksess.cli.render.shell import URL_VARIABLE, holds_secret, url_word
from adksess.cli.render.text import safe_text
from adksess.store.durations import format_duration
from adksess.store.settings import Settings

_MAX_ADDRESSES = 5


@dataclass(frozen=True)
class Banner:
    """The content of the banner.

    `server` is name and version; `data_dir` the folder of an embedded server, None for any other;
    `is_recovered` whether that server was left running by an earlier, killed run.
    """

    settings: Settings
    server: str
    data_dir: Path | None
    is_recovered: bool
    agents: tuple[str, ...]
    host: str
    port: int
    url_prefix: str
    api: bool
    is_default_server: bool
    warnings: Sequence[str] = ()


def print_banner(banner: Banner) -> None:
    """Print the banner on stderr."""
    console = stderr()
    heading = Text.assemble(
        ("adksess", "bold cyan"),
        f" {__version__} ",
        (f"with ADK {version('google-adk')}, sessions in {banner.server}", "dim"),
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    labels = ("API" if banner.api else "Open", *[""] * _MAX_ADDRESSES)
    for label, url in zip(labels, addresses(banner), strict=False):
        rows.add_row(label, Text(url, style="bold cyan"))
    rows.add_row("Agents", Text(safe_text(", ".join(banner.agents))))
    rows.add_row("Sessions", Text(banner.settings.redacted))
    if banner.data_dir:
        rows.add_row("", Text(_embedded(banner.data_dir, is_recovered=banner.is_recovered)))
    if banner.settings.prefix:
        rows.add_row("Prefix", Text(safe_text(banner.settings.prefix)))
    rows.add_row("Expire", Text(_lifetime(banner.settings.ttl)))
    rows.add_row("Next", Text(next_command(banner), style="bold"))
    rows.add_row("", Text(_where_to_type(banner)))
    console.print(Padding(Group(heading, "", rows), (1, 0, 1, 2), expand=False))
    for warning in banner.warnings:
        console.print(message("warning", f"{warning}\n"))


def addresses(banner: Banner) -> list[str]:
    """Return the URLs to open: each agent's chat, one page for many agents, or the API's docs."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(banner.host, banner.host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    url = f"http://{host}:{banner.port}{banner.url_prefix.rstrip('/')}"
    if banner.api:
        return [f"{url}/docs"]
    if len(banner.agents) > _MAX_ADDRESSES:
        return [f"{url}/dev-ui/"]
    return [f"{url}/dev-ui/?app={quote(agent)}" for agent in banner.agents]


def next_command(banner: Banner) -> str:
    """Return the shell command that lists these sessions, without a password."""
    command = shlex.join([*_program(), "list"])
    if not banner.is_default_server:
        command += f" -r {url_word(banner.settings)}"
    if banner.settings.prefix:
        command += f" --prefix {shlex.quote(safe_text(banner.settings.prefix))}"
    return command


def _where_to_type(banner: Banner) -> str:
    is_variable_missing = (
        not banner.is_default_server
        and holds_secret(banner.settings)
        and URL_VARIABLE not in os.environ
    )
    needed = f", with {URL_VARIABLE} set to this URL" if is_variable_missing else ""
    return f"in another terminal{needed}; Ctrl-C stops this server"


def _program() -> list[str]:
    """How to call adksess in another terminal: after `make serve` it is not on the PATH."""
    if shutil.which("adksess"):
        return ["adksess"]
    script = Path(sys.argv[0])
    if script.name != "adksess":
        return ["python", "-m", "adksess"]
    return [os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)]


def _embedded(data_dir: Path, *, is_recovered: bool) -> str:
    folder = f"{data_dir.name}/" if data_dir.parent == Path.cwd() else safe_text(str(data_dir))
    return f"embedded{' (recovered)' if is_recovered else ''}, data in {folder}"


def _lifetime(ttl: int) -> str:
    return f"{format_duration(ttl)} after their last event" if ttl else "never"
