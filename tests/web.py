"""ADK's web server in its own process, as a user starts it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.servers import free_port, wait_until

START_SECONDS = 120

_AT_PORT = """
import sys
import adksess.cli.connection
adksess.cli.connection.DEFAULT_URL = "redis://localhost:{port}/0"
from adksess.cli.app import main
sys.argv[0] = "adksess"
main()
"""


def adksess(*args: object, default_port: int | None = None) -> list[str]:
    """The command `adksess ARGS`; with `default_port`, as if that were Redis's default port.

    Port 6379 may be in use on this machine: tests do not use it.
    """
    python = (
        ["-m", "adksess"] if default_port is None else ["-c", _AT_PORT.format(port=default_port)]
    )
    return [sys.executable, *python, *map(str, args)]


def adk(*args: object) -> list[str]:
    """ADK's own command, without adksess."""
    return [sys.executable, "-m", "google.adk.cli", *map(str, args)]


class WebServer:
    """A running server command, and the HTTP calls of a web UI."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        """`command` is without --port, which is added."""
        self.command = list(command)
        self.folder = folder
        self.log = folder / "web.log"
        self.port = 0
        self.http = httpx.Client(timeout=START_SECONDS)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, each time on the same port."""
        self.port = self.port or free_port()
        self.http.base_url = httpx.URL(f"http://127.0.0.1:{self.port}")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command, f"--port={self.port}"],
                cwd=self.folder,
                env=clean_environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that a test can press Ctrl-C for the whole group
            )
        wait_until(self._is_up_or_gone, START_SECONDS)
        assert self.process.poll() is None, self.output
        return self

    def _is_up_or_gone(self) -> bool:
        assert self.process is not None
        try:
            return self.process.poll() is not None or self.http.get("/health").is_success
        except httpx.TransportError:
            return False

    def send(self, number: signal.Signals, *, to_group: bool = False) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        assert self.process is not None
        (os.killpg if to_group else os.kill)(self.process.pid, number)
        return self.process.wait(START_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.http.close()
        if self.process and self.process.poll() is None:
            try:
                self.send(signal.SIGTERM)
            except subprocess.TimeoutExpired:
                self.send(signal.SIGKILL)

    @property
    def output(self) -> str:
        """The output of the process."""
        return self.log.read_text(errors="replace")

    def create(self, session: str, app: str = "remember", user: str = "ada") -> dict[str, Any]:
        return self._ok(self.http.post(f"/apps/{app}/users/{user}/sessions/{session}", json={}))

    def say(self, text: str, session: str, app: str = "remember", user: str = "ada") -> str:
        """Send a message. Returns the agent's last text."""
        message = {"role": "user", "parts": [{"text": text}]}
        body = {"appName": app, "userId": user, "sessionId": session, "newMessage": message}
        events = self._ok(self.http.post("/run", json=body))
        return str(events[-1]["content"]["parts"][0]["text"])

    def get(self, session: str, app: str = "remember", user: str = "ada") -> dict[str, Any]:
        return self._ok(self.http.get(f"/apps/{app}/users/{user}/sessions/{session}"))

    def ids(self, app: str = "remember", user: str = "ada") -> list[str]:
        sessions = self._ok(self.http.get(f"/apps/{app}/users/{user}/sessions"))
        return [session["id"] for session in sessions]

    def delete(self, session: str, app: str = "remember", user: str = "ada") -> None:
        self._ok(self.http.delete(f"/apps/{app}/users/{user}/sessions/{session}"))

    @staticmethod
    def _ok(response: httpx.Response) -> Any:
        assert response.is_success, f"{response.status_code} {response.text}"
        return response.json() if response.content else None


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without variables that adksess or ADK reads."""
    dropped = ("ADKSESS_", "REDIS_", "GOOGLE_", "XDG_", "COLUMNS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"HOME": str(home), "PYTHONUNBUFFERED": "1"}
