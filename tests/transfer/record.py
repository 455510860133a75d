"""Record what a package that cannot be installed with adksess writes to Redis.

    python -m tests.transfer.record community redis://localhost:6379/9 >…/recorded/community.json

in an environment of its own: google-adk-community needs redis below 6, and adk-session-services
needs a package that no longer exists.
"""

import asyncio
import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis

from tests.transfer.peers import converse

RECORDED = Path(__file__).parent / "recorded"
PACKAGES = {
    "community": ("google-adk-community", "google.adk_community.sessions", "uri"),
    "session-services": (
        "adk-session-services",
        "adk_session_services.redis_session",
        "redis_url",
    ),
}


def record(name: str, url: str) -> dict[str, Any]:
    """Have the conversation through the real package, and record the keys."""
    package, module, argument = PACKAGES[name]
    service = importlib.import_module(module).RedisSessionService(**{argument: url})
    asyncio.run(converse(service))
    with redis.Redis.from_url(url, decode_responses=True) as client:
        keys = {key: _recorded(client, key) for key in sorted(client.keys("*"))}
    used = {other: version(other) for other in (package, "google-adk", "redis")}
    return {"written_by": used, "keys": keys}


def play_back(name: str, client: redis.Redis) -> None:
    """Write the recorded keys to a Redis."""
    keys = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["keys"]
    for key, item in keys.items():
        kind, value = item["type"], item["value"]
        if kind == "string":
            client.set(key, value)
        elif kind == "hash":
            client.hset(key, mapping=value)
        elif kind == "list":
            client.rpush(key, *value)
        else:
            client.sadd(key, *value)
        if item["ttl"] > 0:
            client.expire(key, item["ttl"])


def _recorded(client: Any, key: str) -> dict[str, Any]:
    kind = client.type(key)
    value = {
        "string": lambda: client.get(key),
        "hash": lambda: client.hgetall(key),
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: sorted(client.smembers(key)),
    }[kind]()
    return {"type": kind, "ttl": client.ttl(key), "value": value}


if __name__ == "__main__":
    print(json.dumps(record(sys.argv[1], sys.argv[2]), indent=1, ensure_ascii=False))
