"""The files of export and import: whole or not there at all, compressed or not, or a pipe."""

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

_GZIP = b"\x1f\x8b"


class FileProblem(AdksessError):
    """A file that cannot be read or written."""


@contextmanager
def writing(path: Path | None) -> Iterator[BinaryIO]:
    """A file to write, or stdout for None. An interruption leaves no half of it behind.

    A regular file takes its name when it is complete, and is for its owner's eyes only.
    """
    if path is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError as exc:  # as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise FileProblem("Nobody reads the output any more: it is not complete.") from exc
        return
    try:
        if path.exists() and not path.is_file():  # a named pipe, /dev/null
            with path.open("wb") as file, _packed(file, path) as packed:
                yield packed
            return
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as exc:
        raise _problem("write", path, exc) from exc
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with _packed(file, path) as packed:
                yield packed
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        raise _problem("write", path, exc) from exc
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def reading(name: str, *, twice: bool = False) -> Iterator[BinaryIO]:
    """A file to read, `-` for stdin. With `twice` it can be rewound, even if it is a pipe."""
    try:
        if name != "-":
            with Path(name).open("rb") as file:
                yield file
        elif twice:
            with tempfile.TemporaryFile() as spool:
                while block := sys.stdin.buffer.read(1 << 20):
                    spool.write(block)
                spool.seek(0)
                yield spool
        else:
            yield sys.stdin.buffer
    except OSError as exc:
        raise _problem("read", Path(name), exc) from exc


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1. Unpacks gzip by its first bytes.

    Raises FileProblem when compressed data breaks off.
    """
    start = file.peek(2)[:2] if hasattr(file, "peek") else b""
    packed = start == _GZIP
    number = 0
    try:
        for line in cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file:
            number += 1
            if line.strip():
                yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise FileProblem(
            f"The compressed data breaks off after line {number:,}: the file is damaged or not "
            "complete. What stood before that was read."
        ) from exc


@contextmanager
def _packed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix == ".gz":
        # a low level: the network and JSON, not the disk, set the pace
        with gzip.GzipFile(path.stem, "wb", 3, file) as packed:
            yield cast("BinaryIO", packed)
    else:
        yield file


def _problem(verb: str, path: Path, exc: OSError) -> FileProblem:
    why = exc.strerror or type(exc).__name__
    return FileProblem(f"Cannot {verb} {path}: {why}. Name a file that can be.")
