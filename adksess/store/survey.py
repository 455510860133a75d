"""Survey a database from a limited number of its keys: apps and prefixes with sessions."""

from dataclasses import dataclass, field

from adksess.store.base import StoreBase
from adksess.store.scan import scan_keys

_MAX_STEPS = 50
_SEPARATOR = "session:"


@dataclass
class Survey:
    """Apps with sessions under our prefix, and other prefixes with keys that look like sessions.

    `is_complete` is False if the database has more keys than were looked at.
    """

    apps: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    is_complete: bool = True


class SurveyOperations(StoreBase):
    """Operations that look at the keys of every prefix."""

    async def survey(self) -> Survey:
        """Look at keys of sessions under any prefix, in at most 50 steps of SCAN."""
        found = Survey()
        steps = 0
        async for batch in scan_keys(self._client, b"*session:*:*:*"):
            for key in batch:
                if ref := self.keys.parse_session(key):
                    found.apps.add(ref.app_name)
                elif (prefix := _prefix_of(key)) is not None:
                    found.prefixes.add(prefix)
            steps += 1
            if steps >= _MAX_STEPS:
                found.is_complete = False
                break
        found.prefixes.discard(self.keys.prefix)
        return found


def _prefix_of(key: bytes) -> str | None:
    """Return the prefix of a key that looks like a session's, None for any other key."""
    text = key.decode("utf-8", "replace")
    position = text.rfind(_SEPARATOR)
    if position < 0 or text.count(":", position + len(_SEPARATOR)) != 2:
        return None
    return text[:position]
