"""Streams that are not UTF-8, full, or closed: escapes or one sentence, never a traceback."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from adksess.cli.app import main
from tests.cli.sessions import store_session
from tests.conftest import Run

COMMANDS = [
    "list",
    "list -o json",
    "list -o csv",
    "list -o ids",
    "show chät-→-1",
    "show chät-→-1 -o json",
    "stats",
    "ttl --app démo",
    "delete --app démo --dry-run",
    "show nöpe会",
    "help",
    "completion zsh",
    "list --nöpe",
]


@pytest.fixture(autouse=True)
def _names(valkey_url: str, database: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADKSESS_REDIS_URL", valkey_url)
    monkeypatch.setenv("COLUMNS", "80")
    state = {"k→": "v😀"}
    store_session(
        valkey_url, "démo", "会", "chät-→-1", texts=("grüße 😀",), title="Tïtle 会", state=state
    )


def run_on(monkeypatch: pytest.MonkeyPatch, words: str, encoding: str) -> tuple[str, str]:
    """Run a command on streams of an encoding. Returns what was written, decoded."""
    files = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", files[0])
    monkeypatch.setattr(sys, "stderr", files[1])
    monkeypatch.setattr(sys, "argv", ["adksess", *words.split()])
    with pytest.raises(SystemExit):
        main()
    texts = [file.buffer.getvalue().decode(encoding) for file in files]  # type: ignore[attr-defined]
    return texts[0], texts[1]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii"])
@pytest.mark.parametrize("words", COMMANDS)
def test_other_encodings_get_escapes(
    monkeypatch: pytest.MonkeyPatch, words: str, encoding: str
) -> None:
    out, err = run_on(monkeypatch, words, encoding)
    assert out or err
    assert "Traceback" not in err
    if words.endswith("json"):
        plain, _ = run_on(monkeypatch, words, "utf-8")
        assert _without_ttl(out) == _without_ttl(plain)


def _without_ttl(text: str) -> object:
    value = json.loads(text)
    for row in value if isinstance(value, list) else []:
        row.pop("ttl_seconds")
    return value


def test_stored_text_is_escaped_and_our_own_typography_simplified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = "list --columns id --no-headers -o csv"
    assert run_on(monkeypatch, words, "ascii") == ("ch\\u00e4t-\\u2192-1\n", "")
    assert run_on(monkeypatch, words, "latin-1") == ("chät-\\u2192-1\n", "")
    names, _ = run_on(monkeypatch, "list -o ids", "latin-1")
    assert names == "session:démo:%E4%BC%9A:chät-%E2%86%92-1\n"  # a name that commands find
    out, _ = run_on(monkeypatch, "stats", "cp1252")
    assert "####" in out
    assert "-> " in run_on(monkeypatch, "doctor", "ascii")[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("words", [*COMMANDS[:9], "export"])
def test_a_full_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["adksess", *words.split()])
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # also closed here
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(
        "error: Cannot write to stdout: No space left on device."
    )


@pytest.mark.parametrize(
    ("words", "redirection", "code", "said"),
    [
        ("list", ">&-", 1, "error: Cannot write to stdout: it is closed.\n"),
        ("export", ">&-", 1, "error: Cannot write to stdout: it is closed.\n"),
        ("list", "2>&-", 0, ""),
        ("list --app x", "2>&-", 1, ""),
        ("list -o json", ">&- 2>&-", 1, ""),
        ("delete - --yes", "<&-", 0, ""),
        ("delete - --yes", "<<<$'ch\\xe4t'", 3, None),
        ("delete --app démo", "<&-", 2, None),
    ],
)
def test_closed_streams(words: str, redirection: str, code: int, said: str | None) -> None:
    program = f"{sys.executable} -m adksess {words} {redirection}"
    done = subprocess.run(
        ["bash", "-c", program], env=os.environ.copy(), capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    if said is None:
        assert done.stderr.startswith("error: There is no ")
    else:
        assert done.stderr == said


def test_streams_are_restored(run: Run) -> None:
    before = sys.stdout, sys.stderr
    run("list")
    assert (sys.stdout, sys.stderr) == before
