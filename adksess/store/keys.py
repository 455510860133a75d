"""Every key that adksess writes. Keys are built and parsed only here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from adksess.store.errors import InvalidName

COMPLETE = b"\xff"
"""Member of session_apps() while the recency indexes hold every session. No app has this name."""

LACKS_USER_ENTRIES = b"\xfe"
"""Member of session_apps() once an append has found a session missing in its user's index."""

MIN_PREFIX = 4
"""Characters that a prefix of an id needs; a shorter text must be the whole id."""

_GLOB = re.compile(r"([\\*?\[\]])")


class UserRef(NamedTuple):
    """The names of one user of one app."""

    app_name: str
    user_id: str


class SessionRef(NamedTuple):
    """The names of one session."""

    app_name: str
    user_id: str
    session_id: str

    @property
    def user(self) -> UserRef:
        """The user that the session belongs to."""
        return UserRef(self.app_name, self.user_id)

    @property
    def path(self) -> str:
        """`app/user/id`, as the commands accept and print it."""
        return "/".join(self)


def _encode(part: str) -> str:
    """Percent-encode the separator and the escape itself, so that `a:b` differs from `a`, `b`."""
    return part.replace("%", "%25").replace(":", "%3A")


def _joined(*names: str) -> bytes:
    """Names as the end of a key, separated by colons."""
    joined = ":".join(names)
    if "%" in joined or joined.count(":") >= len(names):
        joined = ":".join(map(_encode, names))
    try:
        return joined.encode()
    except UnicodeEncodeError as exc:
        raise InvalidName(
            "An app, user or session name holds a lone surrogate, which is not text: "
            "use valid Unicode."
        ) from exc


def escape_glob(text: str) -> str:
    """Escape a text for a MATCH pattern."""
    return _GLOB.sub(r"\\\1", text)


@dataclass(frozen=True)
class Keys:
    """The keys under one prefix. Each method names the Redis type and the expiry of its key."""

    prefix: str = ""

    def session(self, ref: SessionRef) -> bytes:
        """String: one session, the whole JSON document. Expires with the session's TTL."""
        return self._key("session", *ref)

    def sessions_of(self, user: UserRef, ids: Sequence[bytes]) -> list[bytes]:
        """The keys of a user's sessions, by ids as the user's index holds them."""
        start = self.session(SessionRef(*user, ""))
        return [
            start + name
            if name.isascii() and b":" not in name and b"%" not in name
            else self.session(SessionRef(*user, name.decode("utf-8", "replace")))
            for name in ids
        ]

    def user_sessions(self, app_name: str, user_id: str) -> bytes:
        """Sorted set: a user's session ids by expiry (Unix seconds, +inf for never).

        Expires no sooner than the longest-lived session in it.
        """
        return self._key("user_sessions", app_name, user_id)

    def app_sessions(self, app_name: str) -> bytes:
        """Sorted set, the recency index: every session of an app by last update. Never expires.

        The score is the last update in whole Unix seconds of the server's clock, the member what
        app_member() returns.
        """
        return self._key("app_sessions", app_name)

    def app_member(self, ref: SessionRef) -> bytes:
        """`{user}:{id}`, encoded as in the key: a session's member in its app's recency index."""
        return _joined(ref.user_id, ref.session_id)

    def app_start(self, app_name: str) -> bytes:
        """What the keys of an app's sessions start with; the rest is app_member()."""
        return self._key("session", app_name) + b":"

    def app_documents(self, app_name: str, members: Sequence[bytes]) -> list[bytes]:
        """The keys of an app's sessions, by members of its recency index."""
        start = self.app_start(app_name)
        return [start + member for member in members]

    def session_apps(self) -> bytes:
        """Set: the apps that have a recency index, COMPLETE, LACKS_USER_ENTRIES. Never expires."""
        return f"{self.prefix}session_apps".encode()

    def session_index(self) -> bytes:
        """String: present once a full pass has found or put every session in the recency index.

        The value is when that pass ended, in Unix seconds of the server's clock. Never expires.
        """
        return f"{self.prefix}session_index".encode()

    def app_state(self, app_name: str) -> bytes:
        """Hash: `app:` state, field = key without the prefix, value = JSON. Never expires."""
        return self._key("app_state", app_name)

    def user_state(self, app_name: str, user_id: str) -> bytes:
        """Hash: `user:` state, field = key without the prefix, value = JSON. Never expires."""
        return self._key("user_state", app_name, user_id)

    def sessions_pattern(self, app_name: str | None = None, user_id: str | None = None) -> bytes:
        """A MATCH pattern for the sessions of all, of an app, of a user, or of both."""
        return self._pattern("session", app_name, user_id)

    def session_id_pattern(self, start: str) -> bytes:
        """A MATCH pattern for the sessions whose id starts with a text, of all users."""
        return (f"{escape_glob(self.prefix)}session:*:*:{escape_glob(_encode(start))}*").encode(
            "utf-8", "replace"
        )

    def app_state_pattern(self) -> bytes:
        """A MATCH pattern for every app's state."""
        return self._pattern("app_state")

    def user_state_pattern(self, app_name: str | None = None) -> bytes:
        """A MATCH pattern for the state of every user, or of one app's users."""
        return self._pattern("user_state", app_name)

    def user_sessions_pattern(self, app_name: str | None = None) -> bytes:
        """A MATCH pattern for every user's index, or those of one app."""
        return self._pattern("user_sessions", app_name)

    def app_sessions_pattern(self) -> bytes:
        """A MATCH pattern for the recency index of every app."""
        return self._pattern("app_sessions")

    def parse_app_sessions(self, key: bytes) -> str | None:
        """The app whose recency index a key holds; None for another key."""
        parts = self._parts("app_sessions", key, 1)
        return parts[0] if parts else None

    def parse_app_member(self, app_name: str, member: bytes) -> SessionRef | None:
        """The session that a member of an app's recency index names; None for any other text."""
        parts = _names(member, 2)
        return SessionRef(app_name, *parts) if parts else None

    def parse_session(self, key: bytes) -> SessionRef | None:
        """The session that a key names; None for a key that is not a session's."""
        parts = self._parts("session", key, 3)
        return SessionRef(*parts) if parts else None

    def parse_user_state(self, key: bytes) -> UserRef | None:
        """The user whose state a key holds; None for another key."""
        parts = self._parts("user_state", key, 2)
        return UserRef(*parts) if parts else None

    def parse_user_sessions(self, key: bytes) -> UserRef | None:
        """The user whose index a key holds; None for another key."""
        parts = self._parts("user_sessions", key, 2)
        return UserRef(*parts) if parts else None

    def parse_app_state(self, key: bytes) -> str | None:
        """The app whose state a key holds; None for another key."""
        parts = self._parts("app_state", key, 1)
        return parts[0] if parts else None

    def _key(self, kind: str, *names: str) -> bytes:
        return f"{self.prefix}{kind}:".encode() + _joined(*names)

    def _pattern(self, kind: str, *names: str | None) -> bytes:
        parts = ["*" if name is None else escape_glob(_encode(name)) for name in names]
        while parts and parts[-1] == "*":
            parts.pop()
        return (escape_glob(self.prefix) + ":".join((kind, *parts, "*"))).encode()

    def read_session(self, text: str) -> SessionRef | None:
        """Decode a session's key in which any character may be percent-encoded.

        A name with characters that cannot be printed is passed on in this form.
        """
        start = f"{self.prefix}session:"
        parts = text.removeprefix(start).split(":")
        if not text.startswith(start) or len(parts) != len(SessionRef._fields):
            return None
        return SessionRef(*map(unquote, parts))

    def _parts(self, kind: str, key: bytes, count: int) -> list[str] | None:
        """Decode the names in a key; None for a key that this version would not write."""
        start = f"{self.prefix}{kind}:".encode()
        return _names(key[len(start) :], count) if key.startswith(start) else None


def _names(joined: bytes, count: int) -> list[str] | None:
    """Decode what _joined() returned; None for anything else."""
    try:
        parts = joined.decode().split(":")
    except UnicodeDecodeError:
        return None
    if len(parts) != count or b"%" not in joined:
        return parts if len(parts) == count else None
    names = [unquote(part) for part in parts]
    return names if [_encode(name) for name in names] == parts else None
