"""The Lua scripts of the store, and calls of several commands and scripts."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeAlias, cast

from redis.asyncio import RedisCluster
from redis.exceptions import NoScriptError, ResponseError

from adksess.store.batches import batched
from adksess.store.connect import Client
from adksess.store.redis_errors import is_transient

Argument: TypeAlias = str | bytes | int | float

_CLUSTER_CALLS = 20
"""Parallel calls to a cluster, each on its own connection."""


@dataclass(frozen=True)
class Script:
    """A Lua script, called by its hash, or by its text when the server does not know the hash.

    redis-py's own Script class costs a second round trip in a pipeline, and leaks connections
    when one breaks.
    """

    text: str
    sha: str

    @classmethod
    def load(cls, *names: str) -> "Script":
        """Join the named files of the `lua` folder."""
        folder = files("adksess.store") / "lua"
        text = "\n".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
        return cls(text, sha1(text.encode(), usedforsecurity=False).hexdigest())

    async def run(self, client: Client, keys: Sequence[bytes], *args: Argument) -> Any:
        """Run the script in one round trip."""
        try:
            return await execute(client, "EVALSHA", self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await execute(client, "EVAL", self.text, len(keys), *keys, *args)


CREATE_SESSION = Script.load("_indexes", "create_session")
APPEND_EVENT = Script.load("_indexes", "append_event")
SET_EXPIRY = Script.load("_indexes", "set_expiry")
PUT_DOCUMENT = Script.load("_indexes", "put_document")
REPLACE_DOCUMENT = Script.load("_indexes", "replace_document")
MOVE_SESSION = Script.load("_indexes", "move_session")
DELETE_SESSIONS = Script.load("delete_sessions")
READ_TAILS = Script.load("read_tails")
ADD_USER_SESSION = Script.load("_indexes", "add_user_session")
ADD_APP_SESSION = Script.load("_indexes", "add_app_session")
PRUNE_USER_SESSIONS = Script.load("_indexes", "prune_user_sessions")
PRUNE_APP_SESSIONS = Script.load("prune_app_sessions")
REMOVE_ENTRIES = Script.load("remove_entries")


@dataclass(frozen=True)
class ScriptCall:
    """A script with its keys and arguments, for run_all()."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[Argument] = ()


async def run_all(
    client: Client,
    calls: Sequence[tuple[Argument, ...] | ScriptCall],
    *,
    return_errors: bool = False,
) -> list[Any]:
    """Run commands and scripts in one round trip; on a cluster, in parallel.

    Raises the first error. The calls are independent: another may have been carried out. With
    `return_errors` an error with which Redis answers several calls is the answer to its call.
    """
    if len(calls) == 1:
        return [await _run_one(client, calls[0])]
    if isinstance(client, RedisCluster):
        answers = []
        for batch in batched(calls, _CLUSTER_CALLS):
            answers += await asyncio.gather(
                *(_run_one(client, call) for call in batch), return_exceptions=return_errors
            )
        return _checked(answers, return_errors=return_errors)
    async with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            if isinstance(call, ScriptCall):
                call = ("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args)
            pipeline.execute_command(*call)
        answers = await pipeline.execute(raise_on_error=False)
    for position, answer in enumerate(answers):
        if isinstance(answer, NoScriptError):
            try:
                answers[position] = await _run_one(client, calls[position])
            except ResponseError as exc:
                answers[position] = exc
    return _checked(answers, return_errors=return_errors)


def _checked(answers: list[Any], *, return_errors: bool) -> list[Any]:
    for answer in answers:
        if isinstance(answer, BaseException):
            is_answer = isinstance(answer, ResponseError) and not is_transient(answer)
            if not (return_errors and is_answer):
                raise answer
    return answers


async def _run_one(client: Client, call: tuple[Argument, ...] | ScriptCall) -> Any:
    if isinstance(call, ScriptCall):
        return await call.script.run(client, call.keys, *call.args)
    return await execute(client, *call)


def execute(client: Client, *command: Argument) -> Awaitable[Any]:
    """Run one command."""
    return cast("Awaitable[Any]", client.execute_command(*command))
