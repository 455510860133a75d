"""What `adksess serve` says before ADK takes over: where sessions go, and what to try next."""

import ipaddress
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adksess.cli.output import safe_text, stderr, talk
from adksess.store.connection import Settings
from adksess.store.durations import format_duration


@dataclass(frozen=True)
class Banner:
    """What there is to say. `data_dir` is the embedded server's folder, None for any other."""

    settings: Settings
    server: str
    data_dir: Path | None
    adopted: bool
    agents: tuple[str, ...]
    host: str
    port: int
    url_prefix: str
    api: bool
    is_default_server: bool


def print_banner(banner: Banner) -> None:
    """Print the banner on stderr."""
    console = stderr()
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("Sessions", Text(banner.settings.redacted, style="bold"))
    rows.add_row("", Text(_server(banner)))
    if banner.settings.prefix:
        rows.add_row("Prefix", Text(safe_text(banner.settings.prefix)))
    rows.add_row("Kept for", Text(_lifetime(banner.settings.ttl)))
    rows.add_row("Agents", Text(safe_text(", ".join(banner.agents))))
    rows.add_row("API" if banner.api else "Open", Text(address(banner), style="bold cyan"))
    rows.add_row("Next", Text(next_command(banner), style="bold"))
    rows.add_row("", Text("in another terminal; Ctrl-C here stops the server"))
    console.print(Padding(rows, (1, 0, 1, 2), expand=False))
    if not _is_loopback(banner.host):
        console.print(
            talk(
                "warning",
                f"ADK's server has no authentication: whoever can reach {banner.host} port "
                f"{banner.port} can read, change and delete every session.\n",
            )
        )


def address(banner: Banner) -> str:
    """The URL to open: the one agent's chat, the list of agents, or the API's own page."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(banner.host, banner.host)  # noqa: S104
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    url = f"http://{host}:{banner.port}{banner.url_prefix.rstrip('/')}"
    if banner.api:
        return f"{url}/docs"
    if len(banner.agents) == 1:
        return f"{url}/dev-ui/?app={quote(banner.agents[0])}"
    return f"{url}/dev-ui/"


def next_command(banner: Banner) -> str:
    """The command that lists these sessions, without a password."""
    words = [*_program(), "list"]
    if not banner.is_default_server:
        words += ["-r", banner.settings.redacted]
    if banner.settings.prefix:
        words += ["--prefix", safe_text(banner.settings.prefix)]
    return shlex.join(words)


def _program() -> list[str]:
    """How to call adksess in another terminal: after `make serve` it is not on the PATH."""
    if shutil.which("adksess"):
        return ["adksess"]
    script = Path(sys.argv[0])
    if script.name != "adksess":
        return ["python", "-m", "adksess"]
    return [os.path.relpath(script) if script.is_relative_to(Path.cwd()) else str(script)]


def _server(banner: Banner) -> str:
    if banner.data_dir is None:
        return banner.server
    how = "embedded (taken over)" if banner.adopted else "embedded"
    return f"{banner.server}, {how}, data in {_short(banner.data_dir)}"


def _short(path: Path) -> str:
    return f"{path.name}/" if path.parent == Path.cwd() else safe_text(str(path))


def _lifetime(ttl: int) -> str:
    return f"{format_duration(ttl)} after the last event" if ttl else "ever, without an expiry"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
