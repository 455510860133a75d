"""Find data of users that remains in a store, to answer an erasure request."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adksess.store.keys import SessionRef, UserRef
from adksess.store.store import SessionStore

NOT_COVERED = (
    "artifacts, in ADK's artifact service",
    "memory, in ADK's memory service",
    "app: state, which all users of an app share",
    "exports, backups and replicas of this Redis",
    "logs and traces of the application",
)
"""Where else data of a user may be: adksess neither reads nor deletes it."""


@dataclass
class Remainder:
    """Sessions and user states that still exist."""

    sessions: list[SessionRef] = field(default_factory=list)
    states: list[UserRef] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing remains."""
        return not self.sessions and not self.states


async def remainder(
    store: SessionStore, owners: Sequence[tuple[str | None, str | None]]
) -> Remainder:
    """Look for sessions and states of some users, key by key: no index is trusted.

    An owner is an app, None for all, and a user.
    """
    sessions: set[SessionRef] = set()
    states: set[UserRef] = set()
    for app_name, user_id in owners:
        async for refs in store.scan_refs(app_name, user_id):
            sessions.update(refs)
        async for batch in store.all_states(app_name, user_id):
            states.update(UserRef(one.app_name, one.user_id) for one in batch if one.user_id)
    return Remainder(sorted(sessions), sorted(states))
