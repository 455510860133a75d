"""SessionStore: the one door to stored sessions, for ADK's service and for the commands."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from adksess.store import read, resolve, write
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.document import Document, Tail, iso_time
from adksess.store.keys import Keys, SessionRef, UserRef
from adksess.store.models import AppendResult, ServerInfo, SessionSummary, StoredSession
from adksess.store.settings import DEFAULT_URL, Settings

# The rooms that few commands enter are opened when they do: each takes milliseconds to import.
if TYPE_CHECKING:
    from adksess.store.audit import Audit
    from adksess.store.models import PurgeBatch, PutResult, StoredState, StoredValue
    from adksess.store.parts import SessionEnd


class SessionStore:
    """Sessions in Redis: create, append, read, list, expire, delete.

    Safe to share between tasks, event loops and threads. Times are Unix seconds, TTLs seconds
    (0 for no expiry), sizes bytes. Every method may raise ServerUnavailable; none ever answers
    "empty" because Redis could not be asked.
    """

    def __init__(
        self,
        url: str | Settings = DEFAULT_URL,
        *,
        ttl: int | None = None,
        prefix: str | None = None,
        retries: int = 4,
        connect: Callable[[Settings], Client] | None = None,
    ) -> None:
        """Take a Redis URL, such as `redis://host:6379/0?ttl=7d&prefix=prod:`.

        `retries` is how often a call is tried again when the connection is lost; `connect`
        makes the redis-py client from the settings. Raises InvalidURL. Connects to nothing yet.
        """
        self.settings = (
            url if isinstance(url, Settings) else Settings.parse(url, ttl=ttl, prefix=prefix)
        )
        self.keys = Keys(self.settings.prefix)
        self._server = RedisClient(self.settings, retries=retries, connect=connect)

    @property
    def open_loops(self) -> int:
        """The number of event loops that have connections."""
        return self._server.open_loops

    async def check(self) -> ServerInfo:
        """Ask the server how it is. Raises ServerUnavailable."""
        from adksess.store.health import check

        return await check(self._server)

    async def create(
        self,
        ref: SessionRef,
        *,
        state: Mapping[str, Any] | None = None,
        app_state: Mapping[str, Any] | None = None,
        user_state: Mapping[str, Any] | None = None,
        ttl: int | None = None,
        now: float | None = None,
    ) -> Document:
        """Store a new session without events.

        A `ttl` of its own replaces the store's for this session, at every append too. Raises
        SessionExists, and then nothing is written, app and user state included.
        """
        moment = time.time() if now is None else now
        document = Document(
            ref,
            Tail(
                state=dict(state or {}),
                event_count=0,
                created_at=iso_time(moment),
                updated_at=iso_time(moment),
                last_update_time=moment,
                ttl=ttl or None,
            ),
        )
        await write.create(
            self._server,
            self.keys,
            document,
            app_state=app_state or {},
            user_state=user_state or {},
            ttl=self.settings.ttl if ttl is None else ttl,
        )
        return document

    async def append(
        self,
        ref: SessionRef,
        event: Any,
        *,
        timestamp: float,
        state: Mapping[str, Any] | None = None,
        app_state: Mapping[str, Any] | None = None,
        user_state: Mapping[str, Any] | None = None,
        expected_count: int | None = None,
        is_known: bool = False,
        is_unconfirmed: bool = False,
    ) -> AppendResult:
        """Add one event and merge its state deltas, atomically, in one round trip.

        `event` is compact JSON (bytes) or a value that becomes it. An event that equals a stored
        one is a re-delivery: nothing is written. Raises SessionNotFound, SessionUnreadable,
        and SessionConflict when `expected_count` is given and there are more or fewer events.
        """
        return await write.append(
            self._server,
            self.keys,
            ref,
            event,
            timestamp=timestamp,
            state=state or {},
            app_state=app_state or {},
            user_state=user_state or {},
            expected_count=expected_count,
            is_known=is_known,
            is_unconfirmed=is_unconfirmed,
        )

    async def read(
        self, ref: SessionRef, *, last: int | None = None, since: float | None = None
    ) -> StoredSession | None:
        """A session with its events, or None. `last` and `since` read the end of it only."""
        return await read.read(self._server, self.keys, ref, last=last, since=since)

    async def summaries(self, refs: Sequence[SessionRef]) -> list[SessionSummary]:
        """What the named sessions are, without their events; those that exist."""
        return await read.summaries(self._server, self.keys, refs)

    async def read_ends(
        self, refs: Sequence[SessionRef], *, history_bytes: int
    ) -> list["SessionEnd"]:
        """Return the events in the last bytes of each history; of sessions that are readable."""
        from adksess.store import parts

        return await parts.read_ends(self._server, self.keys, refs, history_bytes=history_bytes)

    async def read_heads(self, refs: Sequence[SessionRef], *, size: int) -> list[bytes]:
        """Return the first `size` bytes of each document, empty for a missing one."""
        from adksess.store import parts

        return await parts.read_heads(self._server, self.keys, refs, size=size)

    async def user_summaries(self, app_name: str, user_id: str) -> list[SessionSummary]:
        """One user's sessions, from the index: costs what the user has, not what Redis holds."""
        return await read.user_summaries(self._server, self.keys, app_name, user_id)

    def scan(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[list[SessionSummary]]:
        """All sessions, of every tool that writes this layout, in batches, in no order."""
        return read.scan(self._server, self.keys, app_name, user_id)

    async def shared_state(
        self, app_name: str, user_id: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """An app's state and a user's, keys without `app:` and `user:`."""
        app_state, user_states = await self.states(app_name, [user_id])
        return app_state, user_states[user_id]

    async def scan_refs(self) -> AsyncIterator[list[SessionRef]]:
        """The names of all sessions, in batches; one may come twice."""
        async for batch in read.scan_names(self._server, self.keys):
            yield list(batch.values())

    def purge(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator["PurgeBatch"]:
        """Delete every session, or those of an app or a user, without reading them first."""
        from adksess.store.delete import purge

        return purge(self._server, self.keys, app_name, user_id)

    async def states(
        self, app_name: str, user_ids: Iterable[str]
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """An app's state, and that of several of its users by user id."""
        return await read.states(self._server, self.keys, app_name, list(user_ids))

    async def set_expiry(self, ref: SessionRef, ttl: int) -> bool:
        """Let a session expire in `ttl` seconds, 0 for never. False when it does not exist."""
        return await write.set_expiry(self._server, self.keys, ref, ttl)

    async def audit(self) -> "Audit":
        """Look at every session and index: what is stored, and whether they agree."""
        from adksess.store.audit import audit

        return await audit(self._server, self.keys)

    async def repair(self, found: "Audit") -> None:
        """Make the indexes agree with the sessions, both ways."""
        from adksess.store.audit import repair

        await repair(self._server, self.keys, found)

    def index_missing(self) -> AsyncIterator[int]:
        """Enter the sessions that are in no index; yields how many, batch by batch."""
        from adksess.store.audit import index_missing

        return index_missing(self._server, self.keys)

    async def index_session(self, summary: SessionSummary) -> None:
        """Enter a session that another tool wrote in its user's index."""
        await write.index_session(self._server, self.keys, summary.ref, summary.ttl_seconds)

    async def delete(self, refs: Sequence[SessionRef]) -> int:
        """Delete sessions, and nothing else. Returns how many of them there were."""
        return await write.delete(self._server, self.keys, refs)

    async def delete_state(self, app_name: str | None = None, user_id: str | None = None) -> int:
        """Delete `app:` and `user:` state of all, of an app, or of a user: one hash each.

        Returns how many hashes there were.
        """
        return sum(
            [
                await write.delete_state(self._server, batch)
                async for batch in self._state_keys(app_name, user_id)
            ]
        )

    async def _state_keys(
        self, app_name: str | None, user_id: str | None
    ) -> AsyncIterator[list[bytes]]:
        async for batch in read.scan_keys(self._server, self.keys.user_state_pattern(app_name)):
            users = ((key, self.keys.parse_user_state(key)) for key in batch)
            yield [
                key
                for key, user in users
                if user and app_name in (None, user.app_name) and user_id in (None, user.user_id)
            ]
        if user_id is None:
            async for batch in read.scan_keys(self._server, self.keys.app_state_pattern()):
                apps = ((key, self.keys.parse_app_state(key)) for key in batch)
                yield [key for key, app in apps if app is not None and app_name in (None, app)]

    async def find(self, names: Sequence[str], *, exact: bool = False) -> list[list[SessionRef]]:
        """For each name (id, app/user/id, key; prefix of 4 characters or more unless `exact`) what
        it may mean.
        """
        return await resolve.find(self._server, self.keys, names, exact=exact)

    async def expired(self, session_id: str) -> list[tuple[UserRef, float]]:
        """Users who had a session of this id that has expired, with the time, as far as known."""
        return await resolve.expired(self._server, self.keys, session_id)

    async def value(self, ref: SessionRef) -> bytes | None:
        """The stored document as it is, or None."""
        return await read.value(self._server, self.keys, ref)

    async def values(self, refs: Sequence[SessionRef]) -> list["StoredValue"]:
        """The stored documents as they are, with their expiry; those that exist."""
        from adksess.store import documents

        return await documents.values(self._server, self.keys, refs)

    async def put(
        self, items: Sequence["StoredValue"], *, replace: bool = False
    ) -> list["PutResult"]:
        """Put whole documents back, where another stands only to `replace` it."""
        from adksess.store import documents

        return await documents.put(self._server, self.keys, items, replace=replace)

    async def replace_if_unchanged(self, before: "StoredValue", after: Document) -> bool:
        """Put a document where another stands, if that has not changed since it was read."""
        from adksess.store import documents

        return await documents.replace_if_unchanged(self._server, self.keys, before, after)

    def all_states(
        self, app_name: str | None = None, user_id: str | None = None
    ) -> AsyncIterator[list["StoredState"]]:
        """The `app:` and `user:` state of all, of an app and its users, or of a user alone."""
        from adksess.store import documents

        return documents.states(self._server, self.keys, app_name, user_id)

    async def state_of(self, names: Sequence[tuple[str, str | None]]) -> list["StoredState"]:
        """The states of apps (user None) and users that have any."""
        from adksess.store import documents

        return await documents.state_of(self._server, self.keys, names)

    async def put_state(
        self, item: "StoredState", *, replace: bool = False
    ) -> dict[str, "PutResult"]:
        """Write the fields of a state, those that have another value only to `replace` them."""
        from adksess.store import documents

        return await documents.put_state(self._server, self.keys, item, replace=replace)

    async def key_count(self) -> int:
        """Keys in the database, foreign ones included: an upper bound for a progress bar."""
        return await read.key_count(self._server)

    async def aclose(self) -> None:
        """Close the running event loop's connections. A later call opens new ones."""
        await self._server.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
