"""What can be imported: exports of adksess, ADK's session files, folders and zip files of them."""

import re
import tempfile
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from adksess.store.document import parse_json
from adksess.transfer.files import BYTE_ORDER_MARK, FileError, input_file, read_lines
from adksess.transfer.importer import Entry
from adksess.transfer.ndjson import InvalidRecord, Record, read_line
from adksess.transfer.session_file import (
    SessionFileOptions,
    is_session_file,
    read_session_file,
)

_LINES_EXAMINED = 100
_SCHEMA_FIELD = re.compile(rb'"adksess"\s*:')
_ZIP = b"PK\x03\x04"

Line = tuple[int, bytes | None]


def read_files(
    names: Sequence[str],
    max_line: int,
    options: SessionFileOptions,
    *,
    stdin: BinaryIO | None = None,
) -> Iterator[Entry]:
    """Read files, folders and zip files; `-` is stdin, or the file that is given for it.

    `max_line` limits a line of an export, or a session file, in bytes. Raises FileError for a
    file that holds no sessions, before its first entry.
    """
    for name in names:
        label = name if len(names) > 1 else ""
        if name != "-" and Path(name).is_dir():
            yield from _read_folder(Path(name), max_line, options)
            continue
        is_given = name == "-" and stdin is not None
        with nullcontext(stdin) if is_given and stdin else input_file(name) as file:
            yield from read_entries(file, name, max_line, options, label=label)


def read_entries(
    file: BinaryIO, name: str, max_line: int, options: SessionFileOptions, *, label: str = ""
) -> Iterator[Entry]:
    """Read one file. A record that is invalid is an InvalidRecord. Raises FileError."""
    if hasattr(file, "peek") and file.peek(4)[:4] == _ZIP:
        return _read_zip(file, name, max_line, options)
    lines = read_lines(file, max_line)
    examined = deque(_up_to_record(lines))
    if not examined or _may_be_record(examined[-1][1]):
        if options.has_names and examined:
            raise FileError(
                f"{name} is an export of adksess: --app, --user and --id are for ADK's session "
                "files. Use --rename-app and --rename-user."
            )
        return _read_records(chain(_drain(examined), lines), max_line, label)
    start = examined[0][1] or b""
    if start.lstrip().startswith(b"{"):
        fields = _parse_whole(chain(_drain(examined), lines), max_line)
        if is_session_file(fields):
            return _session_entries(fields, name if label or name != "-" else "stdin", options)
    raise FileError(_no_sessions(name, start))


def _up_to_record(lines: Iterator[Line]) -> Iterator[Line]:
    for item in islice(lines, _LINES_EXAMINED):
        yield item
        if _may_be_record(item[1]):
            return


def _drain(examined: deque[Line]) -> Iterator[Line]:
    while examined:
        yield examined.popleft()


def _read_records(lines: Iterable[Line], max_line: int, label: str) -> Iterator[Entry]:
    prefix = f"{label}, " if label else ""
    for number, line in lines:
        held = [_read(line, max_line)]
        del line  # the caller can free it: a line may have hundreds of megabytes
        yield f"{prefix}line {number:,}", held.pop()


def _read(line: bytes | None, max_line: int) -> Record | InvalidRecord:
    if line is None:
        return _too_long(max_line)
    try:
        return read_line(line)
    except InvalidRecord as exc:
        return exc


def _too_long(max_line: int) -> InvalidRecord:
    return InvalidRecord(
        f"it is longer than {max_line // 2**20:,} MiB: raise the limit with --max-line"
    )


def _may_be_record(line: bytes | None) -> bool:
    """Return whether a line is, or was, a record: a damaged one is reported with its number."""
    if line is None:
        return True
    if not line.lstrip().startswith(b"{") or not _SCHEMA_FIELD.search(line):
        return False
    if line.lstrip().startswith(b'{"adksess"'):
        return True
    try:
        return "adksess" in parse_json(line)
    except ValueError:
        return True


def _parse_whole(lines: Iterable[Line], max_line: int) -> object:
    """Return the JSON in all lines; None if it is not JSON, or too long."""
    content: list[bytes] = []
    size = 0
    for _, line in lines:
        if line is None:
            return None
        size += len(line)
        if size > max_line:
            return None
        content.append(line)
    try:
        return parse_json(b"".join(content))
    except ValueError:
        return None


def _session_entries(fields: object, where: str, options: SessionFileOptions) -> Iterator[Entry]:
    try:
        for record in read_session_file(fields, options):
            yield where, record
    except InvalidRecord as exc:
        yield where, exc


def _read_folder(folder: Path, max_line: int, options: SessionFileOptions) -> Iterator[Entry]:
    paths = sorted(folder.glob("*.session.json")) or sorted(folder.glob("*.json"))
    _require_files(str(folder), len(paths), options)
    for path in paths:
        with input_file(str(path)) as file:
            yield from _session_or_invalid(file.read(max_line + 1), str(path), max_line, options)


def _read_zip(
    file: BinaryIO, name: str, max_line: int, options: SessionFileOptions
) -> Iterator[Entry]:
    with tempfile.TemporaryFile() as spool:
        if not file.seekable():  # stdin: the list of the members is at the end of a zip file
            while block := file.read(1 << 20):
                spool.write(block)
            file = spool
        try:
            with zipfile.ZipFile(file) as archive:
                members = [
                    member
                    for member in archive.infolist()
                    if member.filename.endswith(".json") and "__MACOSX/" not in member.filename
                ]
                _require_files(name, len(members), options)
                for member in members:
                    with archive.open(member) as content:
                        data = content.read(max_line + 1)
                    yield from _session_or_invalid(data, member.filename, max_line, options)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as exc:
            # RuntimeError: encrypted; NotImplementedError: an unknown compression
            raise FileError(f"Cannot import {name}: the zip file is damaged or encrypted.") from exc


def _require_files(name: str, count: int, options: SessionFileOptions) -> None:
    if not count:
        raise FileError(f"Cannot import {name}: it has no file NAME.json. Nothing was imported.")
    if count > 1 and options.session_id is not None:
        raise FileError(f"--id is for one session file, and {name} has {count:,}: omit --id.")


def _session_or_invalid(
    data: bytes, where: str, max_line: int, options: SessionFileOptions
) -> Iterator[Entry]:
    fields: object = None
    if len(data) > max_line:
        yield where, _too_long(max_line)
        return
    try:
        fields = parse_json(data.removeprefix(BYTE_ORDER_MARK))
    except ValueError:
        fields = None
    if is_session_file(fields):
        yield from _session_entries(fields, where, options)
    else:
        yield where, InvalidRecord("it is not a session file of ADK")


def _no_sessions(name: str, start: bytes) -> str:
    source = "stdin" if name == "-" else name
    reason = "it is neither an export of adksess nor a session file of ADK"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        reason = "it is UTF-16: convert it to UTF-8"
    elif b"\0" in start or start.startswith(b"\x89PNG"):
        reason = "it is not text"
    elif start.lstrip().startswith(b"["):
        reason = "it is a JSON array: an export has one JSON object per line"
    return f"Cannot import {source}: {reason}. Nothing was imported."
