"""The errors of adksess. Each message is a sentence that says what to do.

No message has a password or stored content: messages are logged and shown.
"""


class AdksessError(Exception):
    """Base class of the errors of adksess."""


class InvalidURL(AdksessError, ValueError):
    """An invalid Redis URL, or an invalid option in its query."""


class InvalidDuration(AdksessError, ValueError):
    """A duration that is not like 90s, 15m, 2h or 7d."""


class InvalidCursor(AdksessError, ValueError):
    """A text that is not the cursor of a listing."""


class InvalidName(AdksessError, ValueError):
    """An app, user or session name that cannot be part of a key."""


class ServerUnavailable(AdksessError):
    """Redis did not answer or rejected the request. Never reported as an empty result.

    After a write the outcome is unknown: it is safe to repeat it.
    """


class ServerUnreachable(ServerUnavailable):
    """No connection to Redis, on this machine if it `is_local`.

    `problem` is the first part of the message, without advice.
    """

    def __init__(self, problem: str, *, is_local: bool) -> None:
        super().__init__(f"{problem}: start Redis there, or correct the address in the URL.")
        self.problem = problem
        self.is_local = is_local


class WrongType(AdksessError):
    """A key of adksess has a value of another type. It is not changed."""


class SessionExists(AdksessError):
    """A session with this id exists."""


class SessionNotFound(AdksessError):
    """The session does not exist: never created, deleted, or expired."""


class SessionConflict(AdksessError):
    """`conflict=reject`: the session has changed since it was read."""


class SessionUnreadable(AdksessError):
    """The value at a session's key is not a session document. It is not changed."""


class SessionTooLarge(AdksessError):
    """A session's document has reached the server's limit for one value. Nothing was written."""


class AmbiguousSession(AdksessError):
    """A prefix of more than one session id."""
