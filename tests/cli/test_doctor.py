"""`adksess doctor`: each check, its remedy, the exit codes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adksess.cli import doctor
from adksess.store.records import ServerInfo
from tests.adk.test_registry import OTHER


def by_name(out: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(out)}


def test_all_is_well(cli: Callable[..., Any], valkey_url: str) -> None:
    result = cli("doctor", "-r", valkey_url)
    assert (result.code, result.err) == (0, "")
    assert "answers in" in result.out
    assert "adksess.adk.service.RedisSessionService" in result.out
    assert "FAIL" not in result.out


def test_json_is_a_list_of_checks(cli: Callable[..., Any], valkey_url: str) -> None:
    result = cli("doctor", "-r", valkey_url, "-o", "json")
    checks = json.loads(result.out)
    assert all(set(check) == {"name", "status", "detail", "remedy"} for check in checks)
    assert {check["name"] for check in checks} >= {
        *("redis", "persistence", "memory", "adksess", "adk", "redis-py", "registry")
    }
    assert by_name(result.out)["persistence"]["status"] == "warn"


def test_an_unreachable_redis(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "-r", "redis://:secret@127.0.0.1:1/0", "-o", "json")
    assert result.code == 4
    checks = by_name(result.out)
    assert checks["redis"]["status"] == "fail"
    assert checks["redis"]["remedy"]
    assert checks["registry"]["status"] == "ok", "the rest is checked all the same"
    assert "secret" not in result.out


def test_services_that_get_in_the_way(
    cli: Callable[..., Any], valkey_url: str, tmp_path: Path
) -> None:
    bot = tmp_path / "bot"
    bot.mkdir()
    (tmp_path / "services.py").write_text("import no_such_package\n")
    (bot / "services.py").write_text(OTHER)
    result = cli("doctor", tmp_path, "-r", valkey_url, "-o", "json")
    assert result.code == 1
    checks = by_name(result.out)
    assert "no_such_package" in checks[f"services in {tmp_path.name}"]["detail"]
    assert "InMemorySessionService" in checks["services in bot"]["detail"]
    assert all(check["remedy"] for check in checks.values() if check["status"] == "fail")


def test_a_folder_that_is_not_there(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "nowhere")
    assert (result.code, result.err) == (2, "error: There is no folder nowhere.\n")


INFO = ServerInfo(
    latency_ms=0.2,
    server="Redis",
    version="7.2.0",
    mode="standalone",
    role="master",
    persistence="append-only file",
    maxmemory_policy="noeviction",
    used_memory=1,
    maxmemory=0,
)


@pytest.mark.parametrize(
    ("changes", "name", "status"),
    [
        ({}, "persistence", "ok"),
        ({}, "memory", "ok"),
        ({"persistence": "snapshots or none"}, "persistence", "warn"),
        ({"maxmemory_policy": "allkeys-lru"}, "memory", "ok"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 10}, "memory", "warn"),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": 10}, "memory", "warn"),
        ({"role": "slave"}, "role", "fail"),
    ],
)
def test_what_the_server_says_of_itself(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], name: str, status: str
) -> None:
    monkeypatch.setattr(doctor, "with_store", lambda *_: replace(INFO, **changes))
    settings = doctor.settings_from("redis://localhost")
    checks = {check.name: check for check in doctor._check_redis(settings)}
    assert checks[name].status == status
    assert bool(checks[name].remedy) is (status != "ok")
