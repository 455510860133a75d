"""Export sessions as files of other programs, one file per session."""

import re
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from adksess.conversation.titles import display_name, first_message
from adksess.conversation.transcript import to_html, to_markdown, transcript_of
from adksess.store.document import as_dict, parse_json
from adksess.store.errors import AdksessError, SessionUnreadable
from adksess.store.keys import SessionRef
from adksess.store.models import SessionSummary, StoredSession
from adksess.store.store import SessionStore
from adksess.transfer.files import file_error, output_file

_UNSAFE = re.compile(r"[^\w.@+=, -]")
_MAX_STEM = 100


class NotExportable(ValueError):
    """A session that cannot be written in a format. The message says why."""


@dataclass(frozen=True)
class ExportedFile:
    """A file, its suggested name (may be empty or in use), and what it lacks of the session."""

    stem: str
    suffix: str
    content: bytes
    lacks: Sequence[str] = ()


Convert = Callable[[StoredSession], ExportedFile]
"""Converts a whole session. Raises NotExportable and SessionUnreadable."""


@runtime_checkable
class FileTarget(Protocol):
    """Where exported files go."""

    def write(self, ref: SessionRef, file: ExportedFile) -> None:
        """Take the file of a session."""
        ...

    def content(self) -> bytes | None:
        """Return what is to be written at the end, for all sessions; None for nothing."""
        ...


@dataclass
class FileReport:
    """What was exported: the number of sessions, those that failed with the reason, and what the
    files lack of the sessions.
    """

    sessions: int = 0
    failed: list[tuple[SessionRef, str]] = field(default_factory=list)
    lacks: dict[str, None] = field(default_factory=dict)


async def export_files(
    store: SessionStore,
    batches: AsyncIterable[Sequence[SessionSummary]],
    convert: Convert,
    write: Callable[[SessionRef, ExportedFile], None],
    report: FileReport,
) -> None:
    """Read each session, convert it and write it. Sessions that cannot be read are reported."""
    async for batch in batches:
        for summary in batch:
            try:
                stored = await store.read(summary.ref)
                if stored is None:
                    continue  # deleted meanwhile
                file = convert(stored)
            except SessionUnreadable:
                report.failed.append((summary.ref, summary.problem or "it cannot be read"))
                continue
            except NotExportable as exc:
                report.failed.append((summary.ref, str(exc)))
                continue
            write(summary.ref, file)
            report.sessions += 1
            report.lacks.update(dict.fromkeys(file.lacks))
            if summary.ttl_seconds is not None:
                report.lacks["the expiry"] = None


class SeveralSessions(AdksessError):
    """Several sessions, but no folder, for a format with one session per file."""


class SingleFile:
    """The file of one session."""

    def __init__(self) -> None:
        self._file: ExportedFile | None = None

    def write(self, ref: SessionRef, file: ExportedFile) -> None:
        """Keep the file. Raises SeveralSessions for a second one."""
        if self._file is not None:
            raise SeveralSessions(
                "Several sessions are selected, and this format has one session per file: name a "
                "folder with --out DIR/, or select one session."
            )
        self._file = file

    def content(self) -> bytes | None:
        """Return what to write."""
        return None if self._file is None else self._file.content


def transcript_file(stored: StoredSession, *, is_html: bool) -> ExportedFile:
    """Return the transcript of a whole session, as Markdown or HTML. Raises SessionUnreadable."""
    ref, fields = stored.document.ref, as_dict(stored.document)
    title = display_name(fields["state"]) or first_message(fields["events"])
    transcript = transcript_of(fields, ref, title)
    text = to_html(transcript) if is_html else to_markdown(transcript)
    suffix = ".html" if is_html else ".md"
    return ExportedFile(ref.session_id, suffix, text.encode(errors="backslashreplace"), ["state"])


class Folder:
    """A folder of exported files. A file of another session is never overwritten."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: set[Path] = set()

    def write(self, ref: SessionRef, file: ExportedFile) -> None:
        """Write a file under its name, or under one with a number if that is taken.

        Raises FileError.
        """
        stem = safe_stem(file.stem) or safe_stem(ref.session_id) or "session"
        path, number = self._path / f"{stem}{file.suffix}", 1
        while path in self._written or (path.exists() and not _holds(path, ref)):
            number += 1
            path = self._path / f"{stem}-{number}{file.suffix}"
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise file_error("create", self._path, exc) from exc
        with output_file(path) as out:
            out.write(file.content)
        self._written.add(path)

    def content(self) -> None:
        """Return None: every file is written already."""


def safe_stem(text: str) -> str:
    """Return a text as a file name: without separators, control characters and leading dots."""
    return _UNSAFE.sub("_", text).strip(" .")[:_MAX_STEM]


def _holds(path: Path, ref: SessionRef) -> bool:
    """Return whether a file was exported from a session. True for every text file."""
    if path.suffix != ".json":
        return True
    try:
        fields: Any = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(fields, dict):
        return False
    return (fields.get("appName"), fields.get("userId"), fields.get("id")) == tuple(ref)
