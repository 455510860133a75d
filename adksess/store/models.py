"""Records that the store takes and returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Literal, NamedTuple

from adksess.store.document import Document, Tail
from adksess.store.keys import SessionRef

TITLE_KEY = "__session_metadata__"
"""Where ADK's web UI keeps a session's title: state["__session_metadata__"]["displayName"]."""

_EVALUATION_PREFIXES = ("adk-eval-session-", "___eval___session___")


@dataclass(frozen=True)
class StoredSession:
    """A session that was read: its document and the state that it shares with others.

    The document's `events` are those that were requested; `event_count` counts all.
    """

    document: Document
    app_state: Mapping[str, Any]
    user_state: Mapping[str, Any]


class SessionSummary(NamedTuple):
    """A session without its history.

    `key` is its Redis key, `size_bytes` the length of its document; `ttl_seconds` is None
    for a session that never expires. A session that cannot be read has a `problem` and no `tail`;
    one in the layout of another tool is `is_foreign`. `recent` is the end of
    the history as stored, of as many bytes as were asked for; all of it if `is_whole`.
    """

    ref: SessionRef
    key: str
    tail: Tail | None
    size_bytes: int
    ttl_seconds: float | None
    problem: str | None = None
    is_foreign: bool = False
    recent: bytes = b""
    is_whole: bool = False

    @property
    def title(self) -> str | None:
        """The title in ADK's web UI, or else the first message of the user; None if unknown.

        The first message is unknown in documents of other tools and of older versions.
        """
        return self.titled[0]

    @property
    def title_source(self) -> Literal["ui", "message"] | None:
        """Where the title comes from."""
        return self.titled[1]

    @property
    def titled(self) -> tuple[str | None, Literal["ui", "message"] | None]:
        """The title and where it comes from, for lists: found once."""
        if self.tail is None:
            return None, None
        metadata = self.tail.state.get(TITLE_KEY)
        title = metadata.get("displayName") if isinstance(metadata, dict) else None
        if title and isinstance(title, str):
            return title, "ui"
        return (self.tail.title, "message") if self.tail.title else (None, None)

    @property
    def updated(self) -> float:
        """When the session was last written, by the server's clock, in Unix seconds.

        0 for an unreadable session.
        """
        return datetime.fromisoformat(self.tail.updated_at).timestamp() if self.tail else 0.0

    @property
    def is_evaluation(self) -> bool:
        """Whether ADK made the session for an evaluation; its REST list hides those."""
        return self.ref.session_id.startswith(_EVALUATION_PREFIXES)


@dataclass(frozen=True)
class AppendResult:
    """The result of an append.

    `event_count` is the number of events now. `is_duplicate`: an equal event was stored already,
    and nothing was written. `was_retried`: an attempt of this call lost its reply, so that it may
    have stored the event itself.
    """

    event_count: int
    is_duplicate: bool
    was_retried: bool = False


@dataclass(frozen=True)
class PurgeBatch:
    """One batch of a purge: sessions deleted, bytes of their documents, and what was kept
    because it is not a readable session.
    """

    sessions: int
    size_bytes: int
    unreadable: Sequence[SessionSummary] = ()


@dataclass(frozen=True)
class StoredValue:
    """A document as stored, and its remaining TTL in ms; None never expires."""

    ref: SessionRef
    value: bytes
    ttl_ms: int | None


@dataclass(frozen=True)
class StoredState:
    """The state of an app, or of one of its users; keys without `app:` and `user:`."""

    app_name: str
    user_id: str | None
    state: Mapping[str, Any]


class DeleteResult(NamedTuple):
    """Sessions that were deleted, and those that were kept because they changed meanwhile.

    Sessions that did not exist any more are in neither.
    """

    deleted: list[SessionRef]
    kept: list[SessionRef]


class PutResult(IntEnum):
    """The result of putting a document, or a value of a state."""

    FAILED = -2
    """Redis rejected it; nothing was written."""
    WRONG_TYPE = -1
    """The key holds a value that is not a document; it was kept."""
    EXISTS = 0
    """Something else is stored; it was kept."""
    STORED = 1
    REPLACED = 2
    SAME = 3


class MoveResult(StrEnum):
    """The result of moving a session."""

    MOVED = "moved"
    MISSING = "missing"
    EXISTS = "exists"
    """The other user has a session of this id; nothing was changed."""


def compared(before: bytes | None, after: bytes, *, replace: bool) -> PutResult:
    """The result of putting `after` where `before` is stored."""
    if before is None:
        return PutResult.STORED
    if before == after:
        return PutResult.SAME
    return PutResult.REPLACED if replace else PutResult.EXISTS


OLDEST_REDIS = (6, 2)
"""The oldest Redis that the store is tested with. Every Valkey is newer."""


@dataclass(frozen=True)
class ServerInfo:
    """A server's version, load and durability.

    `latency_ms` is the best of three pings, memory is in bytes, `maxmemory` 0 for no limit. What
    the server does not report is "unknown" or 0.

    `clock_offset` is the server's clock minus this machine's, in seconds.

    `redis_version` is the Redis that a Valkey is compatible with. `persistence` is
    "append-only file", "snapshots", both, or "none".
    """

    latency_ms: float
    server: str
    version: str
    redis_version: str
    mode: str
    role: str
    persistence: str
    maxmemory_policy: str
    used_memory: int
    maxmemory: int
    clock_offset: float = 0.0

    @property
    def is_too_old(self) -> bool:
        """Whether this Redis is older than any that is supported."""
        numbers = self.redis_version.split(".")[:2]
        return all(n.isdigit() for n in numbers) and tuple(map(int, numbers)) < OLDEST_REDIS
