"""Shell completion: session ids, apps and users come from Redis; nothing comes when it is away."""

import os
import subprocess
import sys

import pytest
import redis

from tests.cli.sessions import store_session

_SHELL = "import sys; sys.argv = ['adksess']; from adksess.cli.app import main; main()"


def completed(line: str, url: str) -> list[str]:
    """What bash would offer for the last word of a line."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", _SHELL],
        env=os.environ
        | {
            "_ADKSESS_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "ADKSESS_REDIS_URL": url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.usefixtures("database")
def test_names_come_from_redis(valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "8e42aa01")
    store_session(valkey_url, "weather", "bob\x1b[31m", "17")
    assert completed("adksess show 8", valkey_url) == ["8e42aa01"]
    assert completed("adksess delete ", valkey_url) == ["17", "8e42aa01"]
    assert completed("adksess list --app ", valkey_url) == ["demo", "weather"]
    assert completed("adksess list --user ", valkey_url) == ["ada"]
    assert completed("adksess sh", valkey_url) == ["show"]


def test_silence_without_redis(database: redis.Redis) -> None:
    assert completed("adksess show 8", "redis://127.0.0.1:1/0") == []
    assert completed("adksess show 8", "nonsense") == []
