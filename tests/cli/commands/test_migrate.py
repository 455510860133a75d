"""`adksess migrate`: what it prints, and what it rejects."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.transfer.test_migration import fill

Cli = Callable[..., Any]


def test_detect(cli: Cli, source: redis.Redis, source_url: str) -> None:
    source.set("session:3f2a", "another program's")
    assert cli("migrate", "--detect", "-r", source_url).out.startswith("No sessions")
    for kind in ("adk", "community", "session-services", "google-adk-redis"):
        fill(source, source_url, kind)
    keys = source.dbsize()
    result = cli("migrate", "--detect", "-r", source_url)
    rows = [line.split() for line in result.out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["adk", "community", "session-services", "blob"]
    assert [row[-3:] for row in rows] == [["3", "15", "0"]] * 4
    assert source.dbsize() == keys
    words = ("migrate", "--from", source_url, "-r", source_url, "--prefix", "new:")
    assert "Migrated 3 sessions" in cli(*words, "--layout", "adk").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "--detect"),
        (("--from", "sqlite:///not/there.db"), 1, "no database file"),
        (("--from", "nothing"), 2, "neither a URI nor a file"),
        (("--from", "postgresql://ada:geheim@nowhere/db"), 1, "ADK"),
        (("--from", "redis://ada:geheim@127.0.0.1:1/0"), 4, "Cannot reach"),
        (("--to", "sqlite:///x.db", "--ttl", "2h"), 2, "--ttl"),
        (("--detect", "--to", "sqlite:///x.db"), 2, "--detect"),
    ],
)
def test_usage_and_connection_errors(
    cli: Cli, target_url: str, words: tuple[str, ...], code: int, said: str
) -> None:
    result = cli("migrate", *words, "-r", target_url)
    assert (result.code, said in result.err) == (code, True), result.err
    assert "geheim" not in result.err + result.out


def _detected(columns: int) -> str:
    rows = [
        ("LAYOUT", "WRITTEN BY", "APPS", "SESSIONS", "EVENTS", "UNUSABLE"),
        ("adk", "ADK's own Redis service", "demo, shop", "3", "15", "1"),
    ]
    return "".join(
        f"{layout:<8}{tool:<25}{apps:<12}{sessions:>8}  {events:>6}  {unusable:>8}\n"
        for layout, tool, apps, sessions, events, unusable in rows
    )


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(
    cli: Cli,
    tmp_path: Path,
    source: redis.Redis,
    source_url: str,
    target_url: str,
    columns: int,
) -> None:
    fill(source, source_url, "adk")
    source.set("adk:session:demo:ada:four", json.dumps({"app_name": "demo", "events": 5}))
    detected = cli("migrate", "--detect", "--from", source_url, "-r", target_url, columns=columns)
    assert (detected.code, detected.out) == (0, _detected(columns))
    words = ("migrate", "--from", source_url, "-r", target_url)
    for verb, extra in (("Would migrate", ["--dry-run"]), ("Migrated", [])):
        result = cli(*words, *extra, columns=columns)
        assert result.code == 1
        assert result.out == f"{verb} 3 sessions with 15 events, 8 state values, 1 failed.\n"
        hint = "" if extra else "The source was not changed. See the sessions with adksess list\n"
        error = (
            "error: adk:session:demo:ada:four was not migrated: its events are not a list of \n"
            "objects.\n"
            if columns == 80
            else "error: adk:session:demo:ada:four was not migrated: its events are not a list of "
            "objects.\n"
        )
        assert result.err == error + hint
    again = cli(*words, columns=columns)
    assert again.out == (
        "Migrated 0 sessions with 0 events, 0 state values, 3 unchanged, 1 failed.\n"
    )
    path = tmp_path / "sessions.db"
    out = cli("migrate", "--to", f"sqlite:///{path}", "-r", target_url, columns=columns)
    # the events set the other four
    assert out.out == "Migrated 3 sessions with 15 events, 4 state values.\n"
    assert out.err == "They do not expire there: databases have no expiry.\n"
