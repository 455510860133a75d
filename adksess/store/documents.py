"""Whole documents and whole states, out of Redis and back in: for backups, moves and trims."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from adksess.store import scripts
from adksess.store.client import RedisClient
from adksess.store.connect import Client
from adksess.store.document import Document, encode, json_bytes, unreadable
from adksess.store.errors import WrongType
from adksess.store.keys import Keys, SessionRef
from adksess.store.models import PutResult, StoredState, StoredValue, compared
from adksess.store.read import decode_state, scan_keys
from adksess.store.scripts import Argument, Script, ScriptCall

RESTORE = Script.load("_index_session", "put_document")


async def values(server: RedisClient, keys: Keys, refs: Sequence[SessionRef]) -> list[StoredValue]:
    """The documents of the sessions that exist, as they are."""

    async def run(client: Client, attempt: int) -> list[Any]:
        calls: list[tuple[Argument, ...] | ScriptCall] = []
        for ref in refs:
            key = keys.session(ref)
            calls += [("GET", key), ("PTTL", key)]
        return await scripts.run_all(client, calls)

    answers = await server.call(run) if refs else []
    return [
        StoredValue(ref, value, None if ttl < 0 else ttl)
        for ref, value, ttl in zip(refs, answers[::2], answers[1::2], strict=True)
        if value is not None
    ]


async def put(
    server: RedisClient, keys: Keys, items: Sequence[StoredValue], *, replace: bool
) -> list[PutResult]:
    """Put documents at their keys and enter them in the indexes, in one round trip.

    Where another document stands, it is replaced or, without `replace`, kept. Repeating it after
    an interruption does no harm. Raises SessionUnreadable for a key of another type.
    """

    async def run(client: Client, attempt: int) -> list[Any]:
        calls = [_put_call(server, keys, item, replace=replace) for item in items]
        answers = await scripts.run_all(client, calls)
        if server.settings.is_cluster:  # the index is on another node
            await scripts.run_all(
                client,
                [
                    ScriptCall(
                        scripts.ENTER,
                        [keys.user_sessions(*item.ref[:2])],
                        [item.ttl_ms or 0, item.ref.session_id],
                    )
                    for item, answer in zip(items, answers, strict=True)
                    if answer > PutResult.EXISTS
                ],
            )
        return answers

    if not items:
        return []
    try:
        return [PutResult(answer) for answer in await server.call(run)]
    except WrongType as exc:
        if len(items) == 1:
            raise unreadable(items[0].ref, "one of its keys is of another type") from exc
        raise


def _put_call(server: RedisClient, keys: Keys, item: StoredValue, *, replace: bool) -> ScriptCall:
    indexes = [] if server.settings.is_cluster else [keys.user_sessions(*item.ref[:2])]
    ttl_ms = 0 if item.ttl_ms is None else max(1, item.ttl_ms)
    return ScriptCall(
        RESTORE,
        [keys.session(item.ref), *indexes],
        [item.value, ttl_ms, item.ref.session_id, int(replace)],
    )


async def replace_if_unchanged(
    server: RedisClient, keys: Keys, before: StoredValue, after: Document
) -> bool:
    """Put `after` where `before` stands, keeping the expiry. False when it has changed since."""
    value = encode(after)

    async def run(client: Client, attempt: int) -> bool:
        session = keys.session(before.ref)
        if await scripts.REPLACE.run(client, [session], before.value, value):
            return True
        # a repeated call may have done it, and lost the answer
        return attempt > 0 and await client.execute_command("GET", session) == value

    return await server.call(run)


async def states(
    server: RedisClient, keys: Keys, app_name: str | None = None, user_id: str | None = None
) -> AsyncIterator[list[StoredState]]:
    """The state of all apps and users, or of one app and its users, or of one user alone."""
    if user_id is None:
        async for batch in scan_keys(server, keys.app_state_pattern()):
            apps = {app: None for key in batch if (app := keys.parse_app_state(key)) is not None}
            names = [(app, None) for app in apps if app_name in (None, app)]
            yield await state_of(server, keys, names)
    async for batch in scan_keys(server, keys.user_state_pattern(app_name)):
        users = dict.fromkeys(user for key in batch if (user := keys.parse_user_state(key)))
        chosen = [
            (user.app_name, user.user_id)
            for user in users
            if app_name in (None, user.app_name) and user_id in (None, user.user_id)
        ]
        yield await state_of(server, keys, chosen)


async def state_of(
    server: RedisClient, keys: Keys, names: Sequence[tuple[str, str | None]]
) -> list[StoredState]:
    """The states of apps (user None) and users that have any."""
    hashes = [_state_key(keys, *name) for name in names]

    async def run(client: Client, attempt: int) -> list[Any]:
        types = await scripts.run_all(client, [("TYPE", key) for key in hashes])
        wanted = [
            (name, key)
            for name, key, kind in zip(names, hashes, types, strict=True)
            if kind == b"hash"
        ]
        found = await scripts.run_all(client, [("HGETALL", key) for _, key in wanted])
        return [(name, fields) for (name, _), fields in zip(wanted, found, strict=True)]

    found = await server.call(run) if hashes else []
    return [StoredState(app, user, decode_state(fields)) for (app, user), fields in found if fields]


async def put_state(
    server: RedisClient, keys: Keys, item: StoredState, *, replace: bool
) -> dict[str, PutResult]:
    """Write the fields of a state; those that are there with another value only to `replace`.

    Returns what came of each. Other fields stay as they are.
    """
    key = _state_key(keys, item.app_name, item.user_id)
    names = list(item.state)
    fields = [name.encode("utf-8", "surrogatepass") for name in names]
    written = [json_bytes(item.state[name]) for name in names]

    async def run(client: Client, attempt: int) -> list[Any]:
        before = await scripts.run_all(client, [("HGET", key, field) for field in fields])
        pairs = zip(fields, written, strict=True)
        command = "HSET" if replace else "HSETNX"  # set by another meanwhile: that one stays
        await scripts.run_all(client, [(command, key, field, value) for field, value in pairs])
        return before

    if not names:
        return {}
    outcomes: dict[str, PutResult] = {}
    for name, value, before in zip(names, written, await server.call(run), strict=True):
        outcomes[name] = compared(before, value, replace=replace)
    return outcomes


def _state_key(keys: Keys, app_name: str, user_id: str | None) -> bytes:
    return keys.app_state(app_name) if user_id is None else keys.user_state(app_name, user_id)
