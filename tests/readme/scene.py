"""The sessions that the documentation shows, and a shell in which its commands run."""

import asyncio
import io
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import redis
from rich.console import Console
from rich.text import Text

import adksess.demo
from adksess.store.keys import SessionRef
from adksess.store.state import StateDelta
from adksess.store.store import SessionStore
from tests.aging import age

PICTURE_WIDTH = 100
WIDTH = 80  # Rich takes it for a terminal without cursor control, such as TERM=dumb
LINES = 200
SHOWN_URL = "redis://localhost:6379/0"
SHOWN_FOLDER = "/home/ada/chat"
SHOWN_SOURCE = "/home/ada/adksess"

_ADA = SessionRef("remember", "user", "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11")
_BOB = SessionRef("weather", "bob@example.com", "1f0c7d52-0a4e-4b8e-8f0e-5a5d3c1b9a77")
_EVE = SessionRef("weather", "ada@example.com", "c0ffee00-51de-4a11-b0a7-0123456789ab")
_SECONDS_SINCE_UPDATE = {_ADA: 185, _BOB: 7_500, _EVE: 7_620}
_SECONDS_TO_EXPIRY = 23 * 3600 + 1_800
_NOT_INHERITED = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "REDIS_URL", "ADKSESS_PREFIX")
_FRESH_SECONDS = 20  # of the minute after which an age reads differently


def _delta(**state: Any) -> dict[str, Any]:
    return {"actions": {"state_delta": state}}


_DIALOGS: dict[SessionRef, tuple[tuple[str, dict[str, Any], dict[str, Any]], ...]] = {
    _ADA: (
        ("user", {"text": "My name is Ada"}, {}),
        (
            "remember",
            {"text": "Nice to meet you, Ada."},
            _delta(turns=1, **{"user:name": "Ada"}),
        ),
        ("user", {"text": "Remember that the key is under the mat"}, {}),
        (
            "remember",
            {"text": "I will remember, in this session: the key is under the mat."},
            _delta(turns=2, notes=["the key is under the mat"]),
        ),
    ),
    _BOB: (
        ("user", {"text": "Will it rain today?"}, {}),
        ("weather", {}, {"error_code": "503", "error_message": "The model is overloaded."}),
    ),
    _EVE: (
        ("user", {"text": "Book a ferry to Oslo"}, {}),
        (
            "weather",
            {"function_call": {"id": "c1", "name": "book_ferry", "args": {"to": "Oslo"}}},
            {"long_running_tool_ids": ["c1"]},
        ),
    ),
}


class Scene:
    """A server with the documented sessions, and a working folder with an `agents` folder.

    The folder is a new one in /tmp, as long as SHOWN_FOLDER, so that lines wrap alike. Use the
    scene as a context manager, which removes it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))
        assert len(str(self.folder)) == len(SHOWN_FOLDER)
        self._exported = ""
        self._exported_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def reset(self) -> None:
        """Store the sessions afresh, in an emptied database and folder.

        The server's clock dates every write; the past is given to the sessions by an export and
        an import, which keeps documents byte for byte.
        """
        shutil.rmtree(self.folder)
        agents = self.folder / "agents"
        demo = Path(adksess.demo.__file__).parent / "agents" / "remember"
        shutil.copytree(demo, agents / "remember", ignore=shutil.ignore_patterns("__pycache__"))
        with redis.Redis.from_url(self.url) as client:
            client.flushdb()
            if time.time() - self._exported_at > _FRESH_SECONDS:
                asyncio.run(_store(self.url))
                self._exported, self._exported_at = (
                    self.run("adksess export 2>/dev/null"),
                    time.time(),
                )
                client.flushdb()
        lines = "\n".join(map(_dated, self._exported.splitlines())) + "\n"
        file = self.folder / "scene.ndjson"
        file.write_text(lines, encoding="utf-8")
        printed = self.run(f"adksess import {file.name}")
        assert "3 sessions" in printed, printed
        file.unlink()

    def run(self, command: str, *, color: bool = False) -> str:
        """Run a shell line in a terminal; return what it prints there.

        The terminal has WIDTH columns and plain text, or PICTURE_WIDTH columns and `color`.
        """
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
        environment |= {
            "ADKSESS_REDIS_URL": self.url,
            "TERM": "xterm-256color" if color else "dumb",
            "TZ": "UTC",
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        printed = _in_terminal(
            ["bash", "-o", "pipefail", "-c", command],
            self.folder,
            environment,
            columns=PICTURE_WIDTH if color else WIDTH,
        )
        for text, shown in (
            (self.url, SHOWN_URL),
            (str(self.folder), SHOWN_FOLDER),
            (_installed_from(), SHOWN_SOURCE),
        ):
            printed = printed.replace(text, shown)
        return "\n".join(line.rstrip() for line in printed.splitlines()).strip("\n")

    def picture(self, commands: list[str]) -> str:
        """Return the commands and what they print, as an SVG of a terminal."""
        console = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
        for command in commands:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            console.print(Text.from_ansi(self.run(command, color=True)))
            console.print()
        title = shlex.split(commands[0])[0]
        return console.export_svg(title=title, unique_id="adksess")


def _in_terminal(
    command: list[str], folder: Path, environment: dict[str, str], *, columns: int
) -> str:
    """Run a command with a pseudo-terminal as stdout and stderr; return what it prints."""
    reader, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (LINES, columns))
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    printed = bytearray()
    with suppress(OSError):  # EIO: the last process has closed the terminal
        while chunk := os.read(reader, 65_536):
            printed += chunk
    os.close(reader)
    process.wait()
    return printed.decode().replace("\r\n", "\n")


def _installed_from() -> str:
    """The folder that this adksess was installed from, which `adksess init` prints."""
    recorded = distribution("adksess").read_text("direct_url.json") or "{}"
    return urlsplit(json.loads(recorded).get("url", "")).path or SHOWN_SOURCE


async def _store(url: str) -> None:
    async with SessionStore(url) as store:
        for ref, dialog in _DIALOGS.items():
            start = _start(ref)
            ui_title = {"__session_metadata__": {"displayName": "My name is Ada"}}
            state = StateDelta(ui_title, user={"name": "Ada"}) if ref == _ADA else StateDelta()
            await store.create(ref, state, ttl=0 if ref == _BOB else None, now=start)
            await age(store, ref, start)
            for number, (author, part, more) in enumerate(dialog):
                role = "user" if author == "user" else "model"
                event = {
                    "id": f"e{number}",
                    "invocation_id": f"i{number // 2}",
                    "author": author,
                    "timestamp": start + number,
                    **({"content": {"role": role, "parts": [part]}} if part else {}),
                    "actions": {"state_delta": {}},
                } | more
                delta = event["actions"]["state_delta"]
                own = {key: value for key, value in delta.items() if ":" not in key}
                await store.append(ref, event, StateDelta(own), timestamp=start + number)


def _start(ref: SessionRef) -> float:
    """When a session was created; a quarter second, so that its digits are always as many."""
    return int(time.time()) - _SECONDS_SINCE_UPDATE[ref] - 5 + 0.25


def _dated(line: str) -> str:
    """An exported line, its session updated and expiring when the documentation says."""
    now = int(time.time()) + 0.25
    for ref, seconds in _SECONDS_SINCE_UPDATE.items():
        if ref.session_id in line:
            line = re.sub(r'("updated_at":)"[^"]*"', rf'\1"{_iso(now - seconds)}"', line)
    expires = rf'\1"{_iso(now + _SECONDS_TO_EXPIRY)}"'
    return re.sub(r'("expires_at":)"[^"]*"', expires, line)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
