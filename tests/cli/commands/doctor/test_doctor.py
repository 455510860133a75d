"""`adksess doctor`: each check, its remedy, the exit codes."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from adksess.cli.commands.doctor import adk_checks
from adksess.cli.commands.doctor import checks as checks_module
from adksess.cli.commands.doctor.checks import Check, check_server
from adksess.store import health, recency
from adksess.store.audit import Audit
from adksess.store.models import ServerInfo
from adksess.store.recency import IndexState
from adksess.store.settings import Settings
from tests.adk.test_registry import OTHER
from tests.cli.sessions import store_session
from tests.conftest import Run
from tests.servers import running, valkey_binary


def by_name(out: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(out)}


def test_no_check_fails(cli: Callable[..., Any], valkey_url: str) -> None:
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


def test_services_that_fail_or_override_adksess(
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


def test_a_missing_folder(cli: Callable[..., Any]) -> None:
    result = cli("doctor", "nowhere")
    assert (result.code, result.err) == (2, "error: There is no folder nowhere.\n")


INFO = ServerInfo(
    latency_ms=0.2,
    server="Redis",
    version="7.2.0",
    redis_version="7.2.0",
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
        ({"persistence": "snapshots"}, "persistence", "warn"),
        ({"persistence": "none"}, "persistence", "warn"),
        ({"persistence": "unknown"}, "persistence", "warn"),
        ({"persistence": "append-only file, snapshots"}, "persistence", "ok"),
        ({"version": "6.0.16", "redis_version": "6.0.16"}, "version", "fail"),
        ({"used_memory": 95, "maxmemory": 100}, "memory", "warn"),
        ({"maxmemory_policy": "allkeys-lru"}, "memory", "ok"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 10}, "memory", "warn"),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": 10}, "memory", "warn"),
        ({"role": "slave"}, "role", "fail"),
        ({"mode": "cluster"}, "cluster", "fail"),
        ({"clock_offset": 2.0}, "clock", "warn"),
        ({"clock_offset": -3600.0}, "clock", "warn"),
    ],
)
def test_server_checks(changes: dict[str, Any], name: str, status: str) -> None:
    settings = Settings.parse("redis://localhost")
    checks = {check.name: check for check in check_server(replace(INFO, **changes), settings)}
    assert checks[name].status == status
    assert bool(checks[name].remedy) is (status != "ok")


def test_a_good_server_has_no_further_checks() -> None:
    info = replace(INFO, clock_offset=-1.9)
    names = [check.name for check in check_server(info, Settings.parse("redis://localhost"))]
    assert names == ["redis", "persistence", "memory"]
    clustered = check_server(replace(INFO, mode="cluster"), Settings.parse("redis+cluster://a"))
    assert "cluster" not in [check.name for check in clustered]


@pytest.mark.parametrize(("seconds", "said"), [(-3600, "1h ahead of"), (90, "1m 30s behind")])
def test_a_clock_that_differs(
    run: Run, monkeypatch: pytest.MonkeyPatch, seconds: float, said: str
) -> None:
    clock = SimpleNamespace(time=lambda: time.time() + seconds, perf_counter=time.perf_counter)
    monkeypatch.setattr(health, "time", clock)
    check = by_name(run("doctor", "-o", "json").out)["clock"]
    assert check["status"] == "warn"
    assert check["detail"].startswith("the server's clock is ")
    # a busy machine may take a second for the answer
    assert said.split()[-1] in check["detail"]
    assert check["remedy"]


def test_a_cluster_named_with_a_plain_url(cli: Run, tmp_path: Path) -> None:
    with running(valkey_binary(), tmp_path, cluster_enabled="yes") as node:
        result = cli("doctor", "-r", node.url, "-o", "json")
    assert result.code in (1, 4)
    assert "redis+cluster://" in result.out


def test_a_rejected_login_does_not_suggest_another_server(
    cli: Run, database: redis.Redis, valkey_url: str
) -> None:
    database.acl_setuser("guarded", enabled=True, passwords=["+right"], categories=["+@all"])
    url = valkey_url.replace("redis://", "redis://guarded:hunter2@")
    result = cli("doctor", "-r", url, "-o", "json")
    check = by_name(result.out)["redis"]
    assert (result.code, check["status"]) == (4, "fail")
    assert "serve --demo" not in check["detail"] + check["remedy"]
    assert check["remedy"] == "Fix this first, then run doctor again."


def test_the_probe_deletes_its_session(run: Run, database: redis.Redis) -> None:
    result = run("doctor", "-o", "json")
    assert by_name(result.out)["probe"]["status"] == "ok"
    assert database.keys("*") == []


def test_a_full_server_fails_the_probe(run: Run, database: redis.Redis) -> None:
    database.config_set("maxmemory", 1)
    try:
        result = run("doctor", "-o", "json")
    finally:
        database.config_set("maxmemory", 0)
    assert result.code == 1
    assert "out of memory" in by_name(result.out)["probe"]["detail"]


def test_the_index_is_repaired_both_ways(run: Run, database: redis.Redis, valkey_url: str) -> None:
    store_session(valkey_url, session_id="kept")
    store_session(valkey_url, session_id="lost", ttl=0)
    database.zrem("user_sessions:demo:ada", "lost")
    database.zadd("user_sessions:demo:ada", {"gone": time.time() + 1_000})
    database.set("session:demo:bob:plain", '{"events": [], "state": {}}', ex=500)
    database.set("session:demo:bob:broken", "no session")

    found = by_name(run("doctor", "-o", "json").out)
    assert found["index"]["status"] == "warn"
    assert found["index"]["detail"].startswith(
        "2 sessions are missing from their index; 1 stale entry"
    )
    assert "1 written by other tools" in found["sessions"]["detail"]
    assert "demo/bob/broken" in found["unreadable"]["detail"]
    assert "1 session never expires" in found["expiry"]["detail"]

    assert by_name(run("doctor", "--fix", "-o", "json").out)["index"]["status"] == "ok"
    assert database.zrange("user_sessions:demo:ada", 0, -1) == [b"kept", b"lost"]
    assert database.zrange("user_sessions:demo:bob", 0, -1) == [b"plain"]
    assert by_name(run("doctor", "-o", "json").out)["index"]["detail"].startswith("every session")
    assert database.get("session:demo:bob:broken") == b"no session"


@pytest.mark.usefixtures("three")
def test_a_sample_is_not_called_every_session(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("doctor", "--fix").code == 0
    monkeypatch.setattr(recency, "SMALL", 0)
    index = next(c for c in run("doctor", "--quick", "-o", "json").json if c["name"] == "index")
    assert (index["status"], index["remedy"]) == ("ok", "")
    assert index["detail"].startswith("no entry is missing or stale (3 sessions were checked; ")


def test_keys_of_the_wrong_type_are_reported_and_other_sessions_checked(
    run: Run, database: redis.Redis, valkey_url: str
) -> None:
    store_session(valkey_url, session_id="session-1")
    store_session(valkey_url, user="bob", session_id="session-2")
    database.set("user_sessions:demo:ada", "text")
    database.set("user_state:demo:ada", "text")
    database.hset("app_state:demo", "topic", '"math"')

    for words in ([], ["--fix"]):
        result = run("doctor", *words, "-o", "json")
        found = by_name(result.out)["other types"]
        assert (found["status"], found["detail"].split(": ")[1]) == (
            "warn",
            "user_sessions:demo:ada, user_state:demo:ada (2 in total)",
        )
    result = run("show", "session-3")
    assert (result.code, "There is no session 'session-3'" in result.err) == (3, True)
    result = run("delete", "session-1", "session-2", "--yes")
    assert (result.code, result.out.startswith("Deleted 2 sessions")) == (0, True)
    assert database.get("user_sessions:demo:ada") == b"text"
    assert not database.exists("user_sessions:demo:bob")


def test_registration_for_plain_adk_web(run: Run, tmp_path: Path) -> None:
    name = f"services in {tmp_path.name}"
    checks = by_name(run("doctor", tmp_path, "-o", "json").out)
    assert checks[name]["status"] == "warn"
    assert "adksess init" in checks[name]["remedy"]
    (tmp_path / "services.py").write_text(
        "from adksess import register_services\nprint('noise')\nregister_services()\n"
    )
    checks = by_name(run("doctor", tmp_path, "-o", "json").out)
    assert checks[name]["status"] == "ok"


def test_services_that_end_the_process(run: Run, tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text("import os\nos._exit(3)\n")
    result = run("doctor", tmp_path, "-o", "json")
    assert result.code == 1
    assert (
        "end the process that loads them"
        in by_name(result.out)[f"services in {tmp_path.name}"]["detail"]
    )


AT_80_COLUMNS = """\
ok    connection          redis://db:6379/0, named by --redis-url
ok    redis               Redis 7.2.0 at redis://db:6379/0 answers in 0.2 ms
warn  persistence         off: all sessions are lost when the server stops
                          → Set appendonly yes in the server's configuration.
ok    memory              1 byte used, sessions are not evicted (policy
                          noeviction)
ok    probe               a session was created, appended to, read and deleted
ok    sessions            0 sessions, 0 bytes
ok    index               every session is indexed (every session and entry was
                          checked)
ok    adk                 google-adk 2.13.0
ok    registry            ADK creates adksess.adk.service.RedisSessionService
                          for redis://db:6379/0
warn  services in agents  adksess serve stores sessions in Redis, plain adk web
                          does not know redis:// (no factory is registered for
                          this kind of URL)
                          → Start the agents with adksess serve, or run adksess
                          init /srv/agents.
"""
AT_120_COLUMNS = """\
ok    connection          redis://db:6379/0, named by --redis-url
ok    redis               Redis 7.2.0 at redis://db:6379/0 answers in 0.2 ms
warn  persistence         off: all sessions are lost when the server stops
                          → Set appendonly yes in the server's configuration.
ok    memory              1 byte used, sessions are not evicted (policy noeviction)
ok    probe               a session was created, appended to, read and deleted
ok    sessions            0 sessions, 0 bytes
ok    index               every session is indexed (every session and entry was checked)
ok    adk                 google-adk 2.13.0
ok    registry            ADK creates adksess.adk.service.RedisSessionService for redis://db:6379/0
warn  services in agents  adksess serve stores sessions in Redis, plain adk web does not know redis:// (no factory is
                          registered for this kind of URL)
                          → Start the agents with adksess serve, or run adksess init /srv/agents.
"""  # noqa: E501


EMPTY = IndexState(key_count=0, is_complete=False, sizes={}, missing=(), now=0.0)


@pytest.mark.parametrize(("columns", "expected"), [(80, AT_80_COLUMNS), (120, AT_120_COLUMNS)])
def test_the_whole_output(
    cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, expected: str
) -> None:
    def real_folder(_: Path, settings: Settings) -> list[Check]:
        folder = Path("/srv/agents")
        shown = (
            replace(check, remedy=check.remedy.replace(str(tmp_path), str(folder)))
            for check in check_folder(tmp_path, settings)
        )
        return [replace(check, name="services in agents") for check in shown]

    check_folder = adk_checks.check_folder
    info = replace(INFO, persistence="none")
    for name, check in (
        ("check_redis", lambda settings: list(check_server(info, settings))),
        (
            "check_sessions",
            lambda *_, **__: list(checks_module.check_stored(Audit(EMPTY), repaired=False)),
        ),
    ):
        monkeypatch.setattr(checks_module, name, check)
    probe = Check("probe", "ok", "a session was created, appended to, read and deleted")
    for name, check in (
        ("check_probe", lambda _: probe),
        ("check_versions", lambda: [Check("adk", "ok", "google-adk 2.13.0")]),
        ("check_folder", real_folder),
    ):
        monkeypatch.setattr(adk_checks, name, check)
    result = cli("doctor", tmp_path, "-r", "redis://db:6379/0", columns=columns)
    assert (result.code, result.err) == (0, "")
    assert [line.rstrip() for line in result.out.splitlines()] == expected.splitlines()
