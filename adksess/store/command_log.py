"""Commands that are sent to Redis, as text for a log: names and keys, never values or secrets."""

import logging
from collections.abc import Sequence
from typing import Any

logger = logging.getLogger("adksess.commands")
"""Gets every command at DEBUG, if that is enabled before the first connection is made."""

_MAX_SHOWN = 80
# Arguments of other commands are values of sessions and states, or secrets.
_WITHOUT_VALUES = frozenset(
    [
        *("CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "DEL", "EXISTS", "GET"),
        *("GETRANGE", "HGETALL", "INFO", "MGET", "PING", "PTTL", "ROLE", "SCAN"),
        *("SELECT", "SMEMBERS", "STRLEN", "TIME", "TTL", "TYPE", "UNLINK", "ZCARD"),
        *("ZCOUNT", "ZRANDMEMBER", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGE", "ZSCORE"),
    ]
)


def describe(words: Sequence[Any]) -> str:
    """Return a command as one line: `EVALSHA 1f0c7d52 session:demo:ada:chat-1 (5 arguments)`."""
    name, *args = map(_text, words)
    name = name.upper()
    if name in ("EVAL", "EVALSHA") and len(args) > 1 and args[1].isdigit():
        count = int(args[1])
        script = args[0][:8] if name == "EVALSHA" else "(script)"
        shown, rest = [script, *args[2 : 2 + count]], args[2 + count :]
    elif name in _WITHOUT_VALUES and args[:1] != ["SETINFO"]:
        shown, rest = args, []
    else:
        shown, rest = [], args
    parts = [name, *(one if len(one) <= _MAX_SHOWN else f"{one[:_MAX_SHOWN]}…" for one in shown)]
    if rest:
        parts.append(f"({len(rest)} argument{'' if len(rest) == 1 else 's'})")
    return " ".join(parts)


def _text(word: Any) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
