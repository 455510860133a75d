"""The running web servers of `adksess serve`: each writes its address to a file of the user."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from adksess.cli.config import expand_home
from adksess.store.settings import Settings


@dataclass(frozen=True)
class WebServer:
    """A running `adksess serve`.

    `url` is its address without a path; `redis` and `prefix` say where its sessions are, without
    a password; `has_ui` is False for ADK's api_server.
    """

    pid: int
    url: str
    redis: str
    prefix: str
    has_ui: bool

    def is_for(self, settings: Settings) -> bool:
        """Whether its sessions are in this Redis, under this prefix."""
        return (self.redis, self.prefix) == (settings.redacted, settings.prefix)


@contextmanager
def noted(url: str, settings: Settings, *, has_ui: bool) -> Iterator[None]:
    """Register this process's web server while the block runs, if the folder is writable."""
    server = WebServer(os.getpid(), url, settings.redacted, settings.prefix, has_ui)
    path = _folder() / f"{server.pid}.json"
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(json.dumps(asdict(server)), encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def running() -> list[WebServer]:
    """Return the web servers of this user whose process is alive."""
    servers = []
    for path in sorted(_folder().glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            server = WebServer(**json.loads(path.read_text(encoding="utf-8")))
            if _is_alive(server.pid):
                servers.append(server)
            else:
                path.unlink()
    return servers


def _folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return expand_home(base) / "adksess" / "serve"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # the pid was reused by another user's process
        return False
    return True
