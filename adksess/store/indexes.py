"""Keep the indexes up to date: each user's sessions, each app's sessions by last update.

On a single server the scripts that write a document also write its index entries. On a cluster
these keys are on other nodes, and each is a call of its own. An index may have stale entries, whose
session does not exist; it never lacks a session.
"""

import math
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from adksess.store import scripts
from adksess.store.base import StoreBase
from adksess.store.batches import batched
from adksess.store.connect import Client
from adksess.store.errors import WrongType
from adksess.store.keys import COMPLETE, LACKS_USER_ENTRIES, SessionRef
from adksess.store.models import SessionSummary
from adksess.store.redis_errors import is_wrong_type
from adksess.store.scripts import Argument, ScriptCall

NOW = ""
"""The second of an update that stands for the server's time when a script runs."""

NEVER = -1
"""The TTL in ms of a session that never expires."""

_CLUSTER_GRACE = 60
"""Seconds for which a cluster keeps an entry without a document: a create adds the entry first."""

_SESSIONS_PER_CALL = 500
_SAMPLE_SIZE = 64
_SAMPLE_RATE = 16
"""One of this many creates checks entries of its app's index, on average four per create: so at
most a quarter of the entries are stale if sessions are created steadily and never listed.
"""

SAMPLED_APPS = 16
_OTHER_APP_RATE = 4
_OTHER_APP_SAMPLE = 4
"""One of this many such creates also checks so many entries of one of SAMPLED_APPS random apps: an
app that is not used any more has no creates of its own. With five apps that took 6 % of the
server's time for creates, several apps at each check 25 %.
"""

_LARGER_SAMPLE = 1_000
_LARGER_SAMPLES = 16
"""Checks that follow as long as at least half of an app's entries were stale: after a burst of
sessions that have expired, each such create removes thousands of entries.
"""


class IndexOperations(StoreBase):
    """Operations on the indexes."""

    async def index_sessions(self, sessions: Sequence[SessionSummary]) -> None:
        """Add readable sessions to the indexes, with their present expiry and last update.

        A newer entry in the app's index is kept. A key of another type in place of an index is
        not changed.
        """
        readable = [one for one in sessions if one.tail is not None]
        for batch in batched(readable, _SESSIONS_PER_CALL):
            calls = [
                call
                for one in batch
                for call in self._index_calls(one.ref, _ttl_ms(one), math.floor(one.updated))
            ]
            try:
                await self._client.run_all(calls)
            except WrongType:
                for call in calls:
                    with suppress(WrongType):
                        await self._client.run_all([call])

    async def not_indexed(self, refs: Sequence[SessionRef]) -> list[SessionRef]:
        """Return the sessions that are missing from their user's index or their app's.

        Also those whose app is missing from the set of apps.
        """
        (names,) = await self._answers([("SMEMBERS", self.keys.session_apps())])
        if isinstance(names, WrongType):
            names = {ref.app_name.encode() for ref in refs}
        of_users = [("ZSCORE", self.keys.user_sessions(*ref.user), ref.session_id) for ref in refs]
        of_apps = [
            ("ZSCORE", self.keys.app_sessions(ref.app_name), self.keys.app_member(ref))
            for ref in refs
        ]
        scores = await self._answers([*of_users, *of_apps])
        pairs = zip(scores[: len(refs)], scores[len(refs) :], strict=True)
        return [
            ref
            for ref, pair in zip(refs, pairs, strict=True)
            if None in pair or ref.app_name.encode() not in names
        ]

    async def prune_app_sessions(self, members: Mapping[str, Sequence[bytes]]) -> dict[str, int]:
        """Remove members of apps' recency indexes whose session does not exist.

        Returns how many were removed of each app.
        """
        given = {app: names for app, names in members.items() if names}
        if self.settings.is_cluster:
            return {app: await self._prune_on_cluster(app, names) for app, names in given.items()}
        calls = [
            ScriptCall(
                scripts.PRUNE_APP_SESSIONS,
                [
                    self.keys.app_sessions(app),
                    self.keys.session_apps(),
                    *self.keys.app_documents(app, names),
                ],
                [app, len(self.keys.app_start(app))],
            )
            for app, names in given.items()
        ]
        return dict(zip(given, await self._client.run_all(calls), strict=True))

    async def prune_random(
        self, app_name: str, members: Sequence[bytes], apps: Sequence[bytes]
    ) -> None:
        """Remove stale entries at random, so that an index that is never read does not grow.

        `members` are random ones of the index of `app_name`, `apps` random ones of session_apps().
        Where at least half of an app's entries are stale, larger samples of it are checked, and
        some entries of other apps.
        """
        sample: dict[str, Sequence[bytes]] = {app_name: members}
        others = _app_names(apps) - {app_name}
        if others and checks_other_apps():
            chosen = random.choice(sorted(others))  # noqa: S311
            sample |= await self.random_members({chosen: _OTHER_APP_SAMPLE})
        for _ in range(1 if self.settings.is_cluster else 1 + _LARGER_SAMPLES):
            removed = await self.prune_app_sessions(sample)
            stale = [app for app, count in removed.items() if 2 * count >= len(sample[app])]
            if not stale:
                return
            found = await self._client.command(
                "SRANDMEMBER", self.keys.session_apps(), SAMPLED_APPS
            )
            sample = await self.random_members(
                dict.fromkeys(_app_names(found), _OTHER_APP_SAMPLE)
                | dict.fromkeys(stale, _LARGER_SAMPLE // len(stale))
            )

    async def random_members(self, counts: Mapping[str, int]) -> dict[str, Sequence[bytes]]:
        """Return up to so many random members of each app's recency index."""
        answers = await self._client.run_all(
            [("ZRANDMEMBER", self.keys.app_sessions(app), count) for app, count in counts.items()]
        )
        return dict(zip(counts, answers, strict=True))

    async def prune_user_sessions(self, refs: Sequence[SessionRef]) -> None:
        """Remove entries of one user's index whose session does not exist.

        Those whose session exists get its present expiry.
        """
        if not refs:
            return
        index = self.keys.user_sessions(*refs[0].user)
        documents = [self.keys.session(ref) for ref in refs]
        ids = [ref.session_id for ref in refs]
        if not self.settings.is_cluster:
            call = ScriptCall(scripts.PRUNE_USER_SESSIONS, [index, *documents], ids)
            await self._client.run_all([call])
            return
        scores = await self._client.run_all([("ZSCORE", index, one) for one in ids])
        await self._remove_stale(index, documents, ids, scores)

    async def _answers(self, calls: Sequence[tuple[Argument, ...]]) -> list[Any]:
        """The answers to some commands; a WrongType where the key is of another type.

        One round trip even then: an audit asks for the entries of every session.
        """

        async def run(client: Client, attempt: int) -> list[Any]:
            answers = await scripts.run_all(client, calls, return_errors=True)
            for answer in answers:
                if isinstance(answer, ResponseError) and not is_wrong_type(answer):
                    raise answer
            return answers

        if not calls:
            return []
        try:
            answers = await self._client.call(run)
        except WrongType as exc:  # the answer to a single call
            return [exc]
        return [
            WrongType(str(answer)) if isinstance(answer, ResponseError) else answer
            for answer in answers
        ]

    async def _prune_on_cluster(self, app_name: str, members: Sequence[bytes]) -> int:
        index = self.keys.app_sessions(app_name)
        scores = await self._client.run_all([("ZSCORE", index, member) for member in members])
        seconds, _ = await self._client.command("TIME")
        old = int(seconds) - _CLUSTER_GRACE
        scores = [score if score is not None and score < old else None for score in scores]
        documents = self.keys.app_documents(app_name, members)
        removed = await self._remove_stale(index, documents, members, scores)
        await self._remove_empty_app(app_name)
        return removed

    async def _remove_empty_app(self, app_name: str) -> None:
        """Remove an app without sessions from the set of apps of a cluster.

        A key of another type in place of the set is not changed.
        """
        index, apps = self.keys.app_sessions(app_name), self.keys.session_apps()
        with suppress(WrongType):
            if not await self._client.command("EXISTS", index):
                await self._client.command("SREM", apps, app_name)
                if await self._client.command("EXISTS", index):  # a session was created meanwhile
                    await self._client.command("SADD", apps, app_name)

    async def _remove_stale(
        self,
        index: bytes,
        documents: Sequence[bytes],
        members: Sequence[Argument],
        scores: Sequence[float | None],
    ) -> int:
        """Remove entries without a document, unless they were written again meanwhile.

        Returns how many there were.
        """
        exists = await self._client.run_all([("EXISTS", key) for key in documents])
        stale: list[Argument] = []
        for member, score, is_stored in zip(members, scores, exists, strict=True):
            if score is not None and not is_stored:
                stale += [member, repr(score)]
        if stale:
            await self._client.run_all([ScriptCall(scripts.REMOVE_ENTRIES, [index], stale)])
        return len(stale) // 2

    def _index_keys(self, ref: SessionRef) -> list[bytes]:
        """The user index, the app index and the set of apps of a session."""
        return [
            self.keys.user_sessions(*ref.user),
            self.keys.app_sessions(ref.app_name),
            self.keys.session_apps(),
        ]

    def _index_calls(
        self, ref: SessionRef, ttl_ms: int, second: int | str = NOW, *, keep_newer: bool = True
    ) -> list[tuple[Argument, ...] | ScriptCall]:
        """Calls that add a session to the indexes, each in one slot.

        A newer score in the app's index is kept, unless a document was replaced.
        """
        user_index, app_index, apps = self._index_keys(ref)
        member = self.keys.app_member(ref)
        return [
            ScriptCall(scripts.ADD_USER_SESSION, [user_index], [ttl_ms, ref.session_id]),
            ScriptCall(scripts.ADD_APP_SESSION, [app_index], [member, second, int(keep_newer)]),
            ("SADD", apps, ref.app_name),
        ]

    async def _index_on_cluster(
        self,
        client: Client,
        ref: SessionRef,
        ttl_ms: int,
        second: int | str = NOW,
        *,
        keep_newer: bool = True,
        was_indexed: bool = False,
    ) -> None:
        """Add a session to the indexes of a cluster; on a single server the scripts do.

        Where the app's index or the set of apps was lost, the indexes are marked as incomplete: so
        they are too when two clients create the first session of an app at the same moment. If the
        session `was_indexed`, so is a lost user index.
        """
        calls = self._index_calls(ref, ttl_ms, second, keep_newer=keep_newer)
        new_for_user, has_others, is_new_app = await scripts.run_all(client, calls)
        apps = self.keys.session_apps()
        if bool(has_others) == bool(is_new_app):
            await _try(client, "SREM", apps, COMPLETE)
        # A session that was deleted meanwhile has no entry, either.
        if (
            was_indexed
            and new_for_user
            and await scripts.execute(client, "EXISTS", self.keys.session(ref))
        ):
            await _try(client, "SADD", apps, LACKS_USER_ENTRIES)


async def _try(client: Client, *command: Argument) -> None:
    """Run a command that is not worth losing the write where ACLs forbid it."""
    with suppress(NoPermissionError):
        await scripts.execute(client, *command)


def _ttl_ms(summary: SessionSummary) -> int:
    return NEVER if summary.ttl_seconds is None else max(1, int(summary.ttl_seconds * 1000))


def _app_names(names: Sequence[bytes]) -> set[str]:
    """The apps among some members of session_apps()."""
    return {
        name.decode("utf-8", "replace")
        for name in names
        if name not in (COMPLETE, LACKS_USER_ENTRIES)
    }


def checks_other_apps() -> bool:
    """Whether a create that checks entries also checks some of another app."""
    return random.randrange(_OTHER_APP_RATE) == 0  # noqa: S311


def sample_size() -> int:
    """How many entries of its app's index a create checks; mostly none."""
    return _SAMPLE_SIZE if random.randrange(_SAMPLE_RATE) == 0 else 0  # noqa: S311
