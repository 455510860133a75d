"""Standard streams of any encoding, and errors when they cannot be used."""

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from adksess.store.errors import AdksessError

ESCAPE = "adksess.escape"
"""Error handler of a codec: `\\u2192` where a character does not fit, as JSON writes it too."""

_SIMPLIFY = "adksess.simplify"
# Our own typography and Rich's bars. Stored text is escaped before it comes here.
_ASCII = {"…": "...", "→": "->", "←": "<-", "·": "-", "±": "+-", "µ": "u"} | dict.fromkeys(
    "█▉▊▋▌▍▎▏▐", "#"
)


class OutputError(AdksessError):
    """stdout cannot be written."""


class OutputClosed(OutputError):
    """The reader of stdout has ended, such as `| head`: nothing has to be reported."""


class _Stream:
    """A standard stream whose failures are OutputError; failures of stderr are only recorded."""

    def __init__(self, stream: Any, name: str, *, is_silent: bool) -> None:
        self._stream, self._name, self._is_silent = stream, name, is_silent
        self.has_failed = False

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except (OSError, ValueError) as exc:
            self._fail(exc)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError) as exc:
            self._fail(exc)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self, exc: Exception) -> None:
        self.has_failed = True
        # Discard what is still buffered: Python would report the error again at exit.
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        if self._is_silent:
            return
        if isinstance(exc, BrokenPipeError):
            raise OutputClosed("The output was closed.") from exc
        reason = exc.strerror if isinstance(exc, OSError) else "it is closed"
        raise OutputError(f"Cannot write to {self._name}: {reason}.") from exc


class _Missing:
    """A stream that was closed before the start, as with `>&-`."""

    encoding = "utf-8"

    def write(self, _: str) -> int:
        raise OSError(errno.EBADF, "it is closed")

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    @property
    def buffer(self) -> Any:
        raise OutputError("Cannot write to stdout: it is closed.")


@contextmanager
def prepared_streams() -> Iterator[tuple[_Stream, _Stream]]:
    """Make the streams accept any character, and report when stdout cannot be written."""
    codecs.register_error(ESCAPE, _escape)
    codecs.register_error(_SIMPLIFY, _simplify)
    _occupy_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  # until the end
    elif hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")  # bytes that are not text match no name
    streams = (
        _Stream(_encoding_all(sys.stdout), "stdout", is_silent=False),
        _Stream(_encoding_all(sys.stderr), "stderr", is_silent=True),
    )
    sys.stdout, sys.stderr = streams
    try:
        yield streams
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def escape_unencodable(text: str) -> str:
    """Return stored text with `\\u` escapes where a character does not fit into stdout."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ESCAPE).decode(encoding)


def _encoding_all(stream: Any) -> Any:
    if stream is None:
        return _Missing()
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=_SIMPLIFY)
    return stream


def _occupy_descriptors() -> None:
    """Open /dev/null where a standard stream is closed: a socket would take its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    codes = (units[n : n + 2].hex() for n in range(0, len(units), 2))
    return "".join(f"\\u{code}" for code in codes), error.end


def _simplify(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    if simple := _ASCII.get(error.object[error.start]):
        return simple, error.start + 1
    return _escape(error)[0], error.end
