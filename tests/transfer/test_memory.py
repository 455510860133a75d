"""The largest sessions are trimmed, exported and imported in less than 4 times their size."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from adksess.store.document import Document, Tail, encode, iso_time, json_bytes
from adksess.store.keys import Keys, SessionRef

REF = SessionRef("demo", "ada", "big")
EVENTS, EVENT_BYTES = 25_000, 2_000
TIMES = 4

# The peak of the process: ru_maxrss of a child starts with the memory of its parent.
_RUN = """
import sys
from adksess.cli.app import main
try:
    main()
except SystemExit as stopped:
    assert not stopped.code
(line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(line.split()[1]) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_is_in_proportion_to_the_document(
    target: redis.Redis, target_url: str, tmp_path: Path
) -> None:
    def peak(*words: object) -> int:
        command = [sys.executable, "-c", _RUN, *map(str, words), "-r", target_url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[-1])

    key, value = Keys().session(REF), _document()
    target.set(key, value)
    base, size, path = peak("list", "-o", "ids"), len(value), tmp_path / "x"
    for words in (
        ("export", "big", "--out", path),
        ("trim", "big", "--keep-last", EVENTS // 8, "--yes"),
        ("import", path, "--max-line", 500, "--on-conflict", "replace"),
        ("copy", "big", "--before", EVENTS // 2),
    ):
        assert (peak(*words) - base) / size < TIMES, words[0]
    assert target.get(key) == value


def _document() -> bytes:
    text = "x" * (EVENT_BYTES - 250)
    events = [
        json_bytes(
            {
                "id": f"e{number}",
                "invocation_id": f"i{number // 4}",
                "author": "agent" if number % 4 else "user",
                "timestamp": 1_795_000_000.5 + number,
                "content": {"role": "user", "parts": [{"text": text}]},
                "actions": {"state_delta": {"turns": number}},
            }
        )
        for number in range(EVENTS)
    ]
    moment = iso_time(time.time())
    last = 1_795_000_000.5 + EVENTS - 1
    tail = Tail({"turns": EVENTS - 1}, moment, moment, last, EVENTS, last)
    return encode(Document(REF, tail, events))
