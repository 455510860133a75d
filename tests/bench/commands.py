"""The command line, as whole processes, compared with minimal programs."""

import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from adksess.store.keys import SessionRef
from adksess.store.store import SessionStore
from tests.bench.filling import multiply
from tests.bench.lab import Lab, NotMeasured, child_environment, python
from tests.bench.services import APP, OWN, USER, open_service, session_of
from tests.bench.table import Pair, race, row, within

PING = """
import typer

app = typer.Typer()

@app.command()
def ping(url: str) -> None:
    import redis
    from rich.table import Table
    redis.Redis.from_url(url).ping()

app()
"""
TWO_COMMANDS = """
import typer

app = typer.Typer()

def show_version(value: bool) -> None:
    if value:
        typer.echo("0.1.0")
        raise typer.Exit

@app.callback()
def root(version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True)):
    "Do one thing or another."

@app.command()
def one(url: str = "redis://localhost:6379/0") -> None:
    "Do one thing."

@app.command()
def two(url: str = "redis://localhost:6379/0") -> None:
    "Do another."

app()
"""
READ_ALL = """
import sys
import redis

client, cursor = redis.Redis.from_url(sys.argv[1]), 0
while True:
    cursor, keys = client.scan(cursor, match="session:*", count=1000)
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.getrange(key, -400, -1).pttl(key)
        pipeline.execute()
    if not cursor:
        break
"""
MGET_ALL = """
import sys
import redis

client, cursor = redis.Redis.from_url(sys.argv[1]), 0
while True:
    cursor, keys = client.scan(cursor, match="session:*", count=1000)
    for start in range(0, len(keys), 140):
        client.mget(keys[start : start + 140])
    if not cursor:
        break
"""
UNLINK_ALL = """
import sys
import redis

client, cursor = redis.Redis.from_url(sys.argv[1]), 0
while True:
    cursor, keys = client.scan(cursor, match="session:*", count=1000)
    if keys:
        client.unlink(*keys)
    if not cursor:
        break
"""


def process(lab: Lab, *command: str) -> Callable[[], Awaitable[None]]:
    """Return a call that runs a program to its end."""

    async def run() -> None:
        done = subprocess.run(
            python(*command),
            cwd=lab.folder,
            env=child_environment(COLUMNS="100"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = [line.strip(" │╭╰╮╯─\n") for line in done.stderr.splitlines()]
            raise NotMeasured(next((line for line in reversed(lines) if line), "it failed"))

    return run


def adksess(lab: Lab, *arguments: str) -> Callable[[], Awaitable[None]]:
    """Return a call that runs an adksess command."""
    return process(lab, "-m", "adksess", *arguments)


def program(lab: Lab, text: str, *arguments: str) -> Callable[[], Awaitable[None]]:
    """Return a call that runs a reference program."""
    path: Path = lab.folder / f"program{abs(hash(text))}.py"
    path.write_text(text)
    return process(lab, str(path), *arguments)


@row("cli-list", "adksess list -o json, 10 sessions", against="bare PING", target=within(1.2))
async def list_10(lab: Lab) -> Pair:
    url = lab.database()
    await multiply(open_service(OWN, lab, url), url, 10)
    own = adksess(lab, "list", "-o", "json", "-r", url)
    return Pair(*await race(program(lab, PING, url), own, rounds=lab.pick(15, 3)))


@row("cli-help", "adksess --help", against="bare --help", target=within(1.2))
async def show_help(lab: Lab) -> Pair:
    bare, own = program(lab, TWO_COMMANDS, "--help"), adksess(lab, "--help")
    return Pair(*await race(bare, own, rounds=lab.pick(15, 3)))


@row("cli-version", "adksess --version", against="bare --version", target=within(1.2))
async def show_version(lab: Lab) -> Pair:
    bare, own = program(lab, TWO_COMMANDS, "--version"), adksess(lab, "--version")
    return Pair(*await race(bare, own, rounds=lab.pick(15, 3)))


@row(
    "cli-list-100k",
    "adksess list -o json --limit 0, 100,000 sessions",
    against="SCAN, GETRANGE, PTTL",
    target=within(1.5),
)
async def list_100k(lab: Lab) -> Pair:
    url = lab.database()
    await multiply(open_service(OWN, lab, url), url, lab.pick(100_000, 20_000), events=2)
    own = adksess(lab, "list", "-o", "json", "--limit", "0", "-r", url)
    return Pair(*await race(program(lab, READ_ALL, url), own, rounds=lab.pick(5, 3)))


@row(
    "cli-show-100k",
    "adksess show --events 20 of 100,000 events",
    against="of 100 events",
    target=within(1.2),
)
async def show_end(lab: Lab) -> Pair:
    url = lab.database()
    service = open_service(OWN, lab, url)
    short = await session_of(service, 100)
    long = await session_of(service, lab.pick(100_000, 5_000))
    calls = [
        adksess(lab, "show", f"{APP}/{USER}/{session.id}", "--events", "20", "-r", url)
        for session in (short, long)
    ]
    return Pair(*await race(*calls, rounds=lab.pick(9, 3)))


@row(
    "cli-search-20k",
    "adksess search of 20,000 sessions of 28 kB",
    against="SCAN, MGET",
    target=within(1.4),
)
async def search_all(lab: Lab) -> Pair:
    url = await _long_sessions(lab)
    own = adksess(lab, "search", "a needle", "-r", url)
    return Pair(*await race(program(lab, MGET_ALL, url), own, rounds=lab.pick(5, 3)))


@row(
    "cli-search-first",
    "adksess search -n 1, found in the newest session",
    against="adksess list",
    target=within(1.5),
)
async def search_first(lab: Lab) -> Pair:
    url = await _long_sessions(lab)
    own = adksess(lab, "search", "a needle", "-n", "1", "-r", url)
    return Pair(*await race(adksess(lab, "list", "-r", url), own, rounds=lab.pick(9, 3)))


async def _long_sessions(lab: Lab) -> str:
    """Store long sessions, the newest of which has one more message. Returns the URL."""
    url = lab.database()
    service = open_service(OWN, lab, url)
    await multiply(service, url, lab.pick(20_000, 1_000), events=40)
    session = await session_of(service, 1)
    event = {"author": "user", "content": {"parts": [{"text": "This is a needle."}]}}
    async with SessionStore(url) as store:
        await store.append(SessionRef(APP, USER, session.id), event, timestamp=time.time())
    return url
