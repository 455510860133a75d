"""What can be imported: the lines of an export. Everything else is recognized and rejected."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import BinaryIO

from adksess.transfer.files import MAX_LINE, FileError, read_lines
from adksess.transfer.importer import Entry
from adksess.transfer.ndjson import InvalidRecord, Record, read_line

_LINES_EXAMINED = 100


def read_entries(file: BinaryIO, name: str, max_line: int = MAX_LINE) -> Iterator[Entry]:
    """Read a file of `adksess export`, one entry per line. `name` is for messages.

    A line that is no record is an InvalidRecord. Raises FileError before the first entry if the
    file is no export at all, and after the last whole line of a damaged compressed one.
    """
    lines = read_lines(file, max_line)
    examined = deque(_up_to_record(lines))
    if examined and not _may_be_record(examined[-1][1]):
        raise FileError(_not_an_export(name, examined[0][1] or b""))
    return _line_entries(chain(_drain(examined), lines), max_line)


def _up_to_record(
    lines: Iterator[tuple[int, bytes | None]],
) -> Iterator[tuple[int, bytes | None]]:
    for item in islice(lines, _LINES_EXAMINED):
        yield item
        if _may_be_record(item[1]):
            return


def _drain(examined: deque[tuple[int, bytes | None]]) -> Iterator[tuple[int, bytes | None]]:
    while examined:
        yield examined.popleft()


def _line_entries(lines: Iterable[tuple[int, bytes | None]], max_line: int) -> Iterator[Entry]:
    for number, line in lines:
        held = [_read(line, max_line)]
        del line  # the caller can free it: a line may have hundreds of megabytes
        yield f"line {number:,}", held.pop()


def _read(line: bytes | None, max_line: int) -> Record | InvalidRecord:
    if line is None:
        return InvalidRecord(
            f"it is longer than {max_line // 2**20:,} MiB: raise the limit with --max-line"
        )
    try:
        return read_line(line)
    except InvalidRecord as exc:
        return exc


def _may_be_record(line: bytes | None) -> bool:
    """Return whether a line is, or was, a record: a damaged one is reported with its number."""
    return line is None or (line.lstrip().startswith(b"{") and b'"adksess"' in line)


def _not_an_export(name: str, start: bytes) -> str:
    source = "stdin" if name == "-" else name
    reason = "it has no line of adksess export"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        reason = "it is UTF-16: convert it to UTF-8"
    elif b"\0" in start or start.startswith(b"\x89PNG"):
        reason = "it is not text"
    elif start.lstrip().startswith(b"["):
        reason = "it is a JSON array: an export has one JSON object per line"
    return f"Cannot import {source}: {reason}. Nothing was imported."
