"""A command on a real terminal (a pty), to read its screen and to type."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import Self

_SECONDS = 120


class Terminal:
    """`adksess ARGS` on a terminal of 100 columns, as a process of its own."""

    def __init__(self, *args: str, env: dict[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "adksess", *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment | {"TERM": "xterm", "COLUMNS": "100"} | (env or {}),
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def wait_for(self, text: str) -> str:
        """Read on until the text has been shown. Returns all that was shown so far."""
        deadline = time.monotonic() + _SECONDS
        while text not in self.seen:
            if not self._read(deadline):
                raise AssertionError(f"{text!r} was not shown, but: {self.seen}")
        return self.seen

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Read to the end. Returns the exit code."""
        deadline = time.monotonic() + _SECONDS
        while self._read(deadline):
            pass
        return self.process.wait(_SECONDS)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._master, 65_536) if ready else b""
        except OSError:  # the other side is closed
            data = b""
        self.seen += data.decode("utf-8", "replace")
        return bool(data)
