"""The Lua scripts of the store, and how they are called."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeAlias, cast

from redis.asyncio import RedisCluster
from redis.exceptions import NoScriptError

from adksess.store.connect import Client

Argument: TypeAlias = str | bytes | int | float

_SIDE_BY_SIDE = 20
"""Calls that one call to a cluster makes at the same time, each with a connection of its own."""


@dataclass(frozen=True)
class Script:
    """A Lua script, called by its hash. One that the server does not hold is sent with the call."""

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


CREATE = Script.load("_index_session", "create_session")
APPEND = Script.load("_index_session", "append_event")
EXPIRE = Script.load("_index_session", "set_expiry")
ENTER = Script.load("_index_session", "index_add")
LEAVE = Script.load("index_remove")
PRUNE = Script.load("index_prune")
REPLACE = Script.load("replace_document")
PURGE = Script.load("purge_sessions")
TAILS = Script.load("read_tails")


@dataclass(frozen=True)
class ScriptCall:
    """A script with its keys and arguments, to stand among the commands of `run_all`."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[Argument] = ()


async def run_all(client: Client, calls: Sequence[tuple[Argument, ...] | ScriptCall]) -> list[Any]:
    """Run commands and scripts in one round trip; on a cluster, side by side.

    Raises the first error. The calls are independent: another may have been carried out.
    """
    if isinstance(client, RedisCluster):
        answers = []
        for start in range(0, len(calls), _SIDE_BY_SIDE):
            batch = calls[start : start + _SIDE_BY_SIDE]
            answers += await asyncio.gather(*(_run_one(client, call) for call in batch))
        return answers
    async with client.pipeline(transaction=False) as pipeline:
        for call in calls:
            if isinstance(call, ScriptCall):
                call = ("EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.args)
            pipeline.execute_command(*call)
        answers = await pipeline.execute(raise_on_error=False)
    for position, answer in enumerate(answers):
        if isinstance(answer, NoScriptError):
            answers[position] = await _run_one(client, calls[position])
        elif isinstance(answer, Exception):
            raise answer
    return answers


async def _run_one(client: Client, call: tuple[Argument, ...] | ScriptCall) -> Any:
    if isinstance(call, ScriptCall):
        return await call.script.run(client, call.keys, *call.args)
    return await execute(client, *call)


def execute(client: Client, *command: Argument) -> Awaitable[Any]:
    """Run one command."""
    return cast("Awaitable[Any]", client.execute_command(*command))
