"""Which sessions are selected: by app, user, last update and expiry."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adksess.store.keys import SessionRef, UserRef
    from adksess.store.models import SessionSummary


@dataclass(frozen=True)
class SessionFilter:
    """What a session must match; an empty tuple, None and False select every session.

    Any of the `apps` and any of the `users` matches, exactly; `app_globs` and `user_globs` are
    patterns such as `bob*`. Times are Unix seconds, both inclusive.
    """

    apps: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    app_globs: tuple[str, ...] = ()
    user_globs: tuple[str, ...] = ()
    updated_from: float | None = None
    updated_until: float | None = None
    no_ttl: bool = False

    @property
    def has_names(self) -> bool:
        """Whether names are filtered."""
        return bool(self.apps or self.users or self.app_globs or self.user_globs)

    @property
    def needs_tail(self) -> bool:
        """Whether the filter needs more of a session than its key."""
        return self.no_ttl or self.updated_from is not None or self.updated_until is not None

    def match_app(self, app_name: str) -> bool:
        """Whether an app matches."""
        return _matches(app_name, self.apps, self.app_globs)

    def match_user(self, user: "UserRef | SessionRef") -> bool:
        """Whether a user, or a session by its names, matches."""
        return self.match_app(user.app_name) and _matches(user.user_id, self.users, self.user_globs)

    def match(self, summary: "SessionSummary") -> bool:
        """Whether a session matches. An unreadable one never matches a time."""
        if not self.match_user(summary.ref) or (self.no_ttl and summary.ttl_seconds is not None):
            return False
        if self.updated_from is None and self.updated_until is None:
            return True
        if summary.tail is None:
            return False
        updated = summary.updated
        return (self.updated_from is None or updated >= self.updated_from) and (
            self.updated_until is None or updated <= self.updated_until
        )


def _matches(name: str, names: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    if names and name not in names:
        return False
    return not globs or any(fnmatchcase(name, glob) for glob in globs)
