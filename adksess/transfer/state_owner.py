"""The owner of state: an app, a user or a session, and how its values are read and written."""

from dataclasses import dataclass
from typing import Any

from adksess.store.errors import AmbiguousSession, SessionNotFound
from adksess.store.keys import SessionRef, UserRef
from adksess.store.state import APP, USER, merge_scopes
from adksess.store.store import SessionStore
from adksess.transfer.edit import change_state, set_shared_value


@dataclass(frozen=True)
class SharedOwner:
    """An app, or with a `user_id` one of its users."""

    app_name: str
    user_id: str | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        if self.user_id is None:
            return f"app {self.app_name}"
        return f"user {self.user_id} of app {self.app_name}"

    async def values(self, store: SessionStore) -> dict[str, Any]:
        """Return the state, keys without prefix."""
        stored = await store.state_of([(self.app_name, self.user_id)])
        return dict(stored[0].state) if stored else {}

    async def set(self, store: SessionStore, key: str, value: Any) -> None:
        """Set a value."""
        await set_shared_value(store, self.app_name, self.user_id, self._own(key), value)

    async def unset(self, store: SessionStore, key: str) -> bool:
        """Remove a key. False if there is none."""
        return bool(await store.unset_state(self.app_name, self.user_id, [self._own(key)]))

    def _own(self, key: str) -> str:
        """The key without the prefix of its scope, which may be typed."""
        return key.removeprefix(APP if self.user_id is None else USER)


@dataclass(frozen=True)
class SessionOwner:
    """A session. Keys with `app:` and `user:` are those of its app and user."""

    ref: SessionRef

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.ref.path

    async def values(self, store: SessionStore) -> dict[str, Any]:
        """Return the state as an agent sees it."""
        stored = await store.read(self.ref, last=0)
        if stored is None:
            raise SessionNotFound(f"Session {self.ref.session_id!r} not found.")
        return merge_scopes(stored.document.tail.state, stored.app_state, stored.user_state)

    async def set(self, store: SessionStore, key: str, value: Any) -> None:
        """Set a value through an event."""
        await change_state(store, self.ref, {key: value})

    async def unset(self, store: SessionStore, key: str) -> bool:
        """Set a key to null through an event. False if there is none."""
        if key not in await self.values(store):
            return False
        await change_state(store, self.ref, {key: None})
        return True


Owner = SharedOwner | SessionOwner


async def find_owner(store: SessionStore, where: str) -> Owner:
    """Return what a name means: an app, APP/USER, a session, or one of their keys.

    Raises AmbiguousSession if it means several, and SessionNotFound if it means nothing.
    """
    key = where.encode("utf-8", "replace")
    if (app := store.keys.parse_app_state(key)) is not None:
        return SharedOwner(app)
    if (user := store.keys.parse_user_state(key)) is not None:
        return SharedOwner(*user)
    found: list[Owner] = [SessionOwner(ref) for ref in (await store.find([where]))[0]]
    if await _exists(store, where):
        found.append(SharedOwner(where))
    for position, letter in enumerate(where):
        if letter == "/":
            app_name, user_id = where[:position], where[position + 1 :]
            if await _has_user(store, UserRef(app_name, user_id)):
                found.append(SharedOwner(app_name, user_id))
    if not found:
        app_name, slash, user_id = where.partition("/")
        keys = store.keys
        new = keys.user_state(app_name, user_id) if slash else keys.app_state(where)
        raise SessionNotFound(
            f"There is no app, APP/USER or session {where!r}. For the state of a new app or user, "
            f"name its key: {new.decode()}"
        )
    if len(found) > 1:
        named = "\n".join(f"  {_key(store, owner)}" for owner in found)
        raise AmbiguousSession(f"{where!r} may be any of these; name one by its key:\n{named}")
    return found[0]


async def _exists(store: SessionStore, app_name: str) -> bool:
    if await store.state_of([(app_name, None)]):
        return True
    index = await store.index_state()
    if index.is_used or app_name in index.sizes:  # a large database is not scanned
        return app_name in index.sizes
    async for batch in store.scan_refs(app_name):
        if batch:
            return True
    return False


async def _has_user(store: SessionStore, user: UserRef) -> bool:
    return bool(await store.state_of([user]) or await store.user_summaries(*user))


def _key(store: SessionStore, owner: Owner) -> str:
    if isinstance(owner, SessionOwner):
        return store.keys.session(owner.ref).decode()
    if owner.user_id is None:
        return store.keys.app_state(owner.app_name).decode()
    return store.keys.user_state(owner.app_name, owner.user_id).decode()
