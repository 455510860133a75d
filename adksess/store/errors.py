"""Everything that can go wrong with stored sessions, each a sentence that a person can act on.

No message holds a password or stored content: messages reach logs and screens.
"""


class AdksessError(Exception):
    """Base of every error that adksess raises on purpose."""


class InvalidURL(AdksessError, ValueError):
    """A Redis URL, or an option in its query, that cannot be used."""


class InvalidDuration(AdksessError, ValueError):
    """A duration that is not like 90s, 15m, 2h, 7d or a number of seconds."""


class InvalidCursor(AdksessError, ValueError):
    """A text that is not the cursor of a listing."""


class InvalidName(AdksessError, ValueError):
    """An app, user or session name that no key can be made of."""


class ServerUnavailable(AdksessError):
    """Redis did not answer, refused us, or cannot do the work now. Nothing was read as empty.

    After a write the outcome is unknown: it is safe to repeat it.
    """


class WrongType(AdksessError):
    """A key that is ours by its name holds a value of another type. It is left untouched."""


class SessionExists(AdksessError):
    """The session id is taken."""


class SessionNotFound(AdksessError):
    """There is no such session: never created, deleted, or expired."""


class SessionConflict(AdksessError):
    """`conflict=reject`: somebody appended since this session was read."""


class SessionUnreadable(AdksessError):
    """The value at a session's key is not a session document. It is left untouched."""


class SessionTooLarge(AdksessError):
    """A session's document has reached the server's limit for one value. Nothing was written."""


class AmbiguousSession(AdksessError):
    """A prefix that more than one session id starts with."""
