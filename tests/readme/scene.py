"""The sessions that the README shows, and the README's own commands run on them."""

import asyncio
import io
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.text import Text

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore

README = Path(__file__).parents[2] / "README.md"
WIDTH = 100

_MAIN = SessionRef("remember", "user", "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11")
_SECONDS_AGO = 40


def fill(url: str) -> None:
    """Empty the server's database and store the sessions of the README."""
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    asyncio.run(_fill(url))


async def _fill(url: str) -> None:
    now = int(time.time()) - _SECONDS_AGO + 0.25
    async with SessionStore(url) as store:
        others = (
            (SessionRef("weather", "bob@example.com", "1f0c7d52-0a4e-4b8e-8f0e-5a5d3c1b9a77"), 0),
            (
                SessionRef("weather", "ada@example.com", "c0ffee00-51de-4a11-b0a7-0123456789ab"),
                None,
            ),
        )
        for ref, ttl in others:
            await store.create(ref, state=_title("Will it rain?"), ttl=ttl, now=now - 7_200)
        await store.create(
            _MAIN, state=_title("My name is Ada"), user_state={"name": "Ada"}, now=now
        )
        for number, (author, text, delta) in enumerate(_TALK):
            part: dict[str, Any] = {"text": text}
            event = {
                "id": f"e{number}",
                "invocation_id": f"i{number // 2}",
                "author": author,
                "timestamp": now + number,
                "content": {"role": "user" if author == "user" else "model", "parts": [part]},
                "actions": {"state_delta": delta},
            }
            own = {k: v for k, v in delta.items() if ":" not in k}
            await store.append(_MAIN, event, timestamp=now + number, state=own)


_TALK: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("user", "My name is Ada", {}),
    ("remember", "Nice to meet you, Ada.", {"turns": 1, "user:name": "Ada"}),
    ("user", "Remember that the key is under the mat", {}),
    (
        "remember",
        "I will remember, in this session: the key is under the mat.",
        {"turns": 2, "notes": ["the key is under the mat"]},
    ),
)


def _title(text: str) -> dict[str, Any]:
    return {"__session_metadata__": {"displayName": text}}


def run(command: str, url: str, *, color: bool = False) -> str:
    """What a shell line prints, stdout and stderr together, on a screen of WIDTH columns."""
    environment = os.environ | {"ADKSESS_REDIS_URL": url, "COLUMNS": str(WIDTH), "TZ": "UTC"}
    environment.pop("NO_COLOR", None)
    if color:
        environment |= {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    folder = Path(sys.executable).parent
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.replace(url, "redis://localhost:6379/0").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def picture(commands: list[str], url: str) -> str:
    """The commands and what they print, as an SVG of a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for command in commands:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text.from_ansi(run(command, url, color=True)))
        console.print()
    title = shlex.split(commands[0])[0]
    return console.export_svg(title=title, unique_id="adksess")
