"""Files of export and import: written as a whole or not at all, compressed or not, or a pipe."""

import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from adksess.store.errors import AdksessError

MAX_LINE = 64 * 1024 * 1024
"""The longest line of an import, in bytes, unless another limit is given."""

_GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SKIPPED = 1 << 20


class FileError(AdksessError):
    """A file cannot be read or written."""


@contextmanager
def output_file(path: Path | None) -> Iterator[BinaryIO]:
    """Open a file to write, or stdout for None.

    A regular file is readable by its owner only, and replaces an existing one when the block
    ends without an exception. A symlink is kept, and its target replaced.
    """
    if path is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError as exc:  # as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise FileError("The output pipe was closed: the export is incomplete.") from exc
        except OSError as exc:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise FileError(
                f"Cannot write to stdout: {exc.strerror}. The export is incomplete."
            ) from exc
        return
    try:
        target = path.resolve() if path.is_symlink() else path
        if target.exists() and not target.is_file():  # a named pipe, /dev/null
            with target.open("wb") as file, _compressed(file, path) as packed:
                yield packed
            return
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part", dir=target.parent
        )
    except (OSError, RuntimeError) as exc:  # RuntimeError: a loop of symlinks
        raise file_error("write", path, exc) from exc
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with _compressed(file, path) as packed:
                yield packed
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as exc:
        raise file_error("write", path, exc) from exc
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def input_file(name: str, *, rewindable: bool = False) -> Iterator[BinaryIO]:
    """Open a file to read, stdin for `-`. A `rewindable` one can be read twice, even a pipe."""
    try:
        if name != "-":
            with Path(name).open("rb") as file:
                yield file
        elif rewindable:
            with tempfile.TemporaryFile() as spool:
                while block := sys.stdin.buffer.read(1 << 20):
                    spool.write(block)
                spool.seek(0)
                yield spool
        else:
            yield sys.stdin.buffer
    except OSError as exc:
        raise file_error("read", Path(name), exc) from exc


def read_lines(file: BinaryIO, max_line: int = MAX_LINE) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that are not blank, with their numbers from 1.

    A line of more than `max_line` bytes is None: it is skipped without being held in memory.
    Data that is compressed with gzip is decompressed. Raises FileError when that is damaged.
    """
    start = file.peek(2)[:2] if hasattr(file, "peek") else b""
    source = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if start == _GZIP else file
    number = 0
    try:
        while line := source.readline(max_line + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            if len(line) > max_line and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = source.readline(_SKIPPED)
                yield number, None
            elif not line.isspace():
                held = [line]
                del line  # the caller can free it: a line may have hundreds of megabytes
                yield number, held.pop()
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise FileError(
            f"The compressed data is damaged or incomplete after line {number:,}. The lines "
            "before were read."
        ) from exc


@contextmanager
def _compressed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix == ".gz":
        # a low level: the network and JSON limit the speed, not the disk
        with gzip.GzipFile(path.stem, "wb", 3, file) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield file


def file_error(verb: str, path: Path, exc: Exception) -> FileError:
    """Return the error about a path that cannot be read, written or created, with advice."""
    if isinstance(exc, FileNotFoundError) and verb != "read":
        return FileError(
            f"Cannot {verb} {path}: there is no folder {path.parent}. Create it, or choose another "
            "path."
        )
    reason = getattr(exc, "strerror", None) or type(exc).__name__
    return FileError(f"Cannot {verb} {path}: {reason}. Choose another path.")
