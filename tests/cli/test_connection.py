"""Which Redis a command uses: options, environment, config.toml, the embedded server."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from adksess.cli.connection import ConnectionOptions
from adksess.embedded import EmbeddedServer, is_listening
from adksess.store.errors import InvalidURL
from adksess.store.keys import SessionRef
from tests.cli.sessions import append_text, store_session
from tests.cli.terminal import Terminal
from tests.conftest import Run
from tests.servers import free_port

ORDER = [
    ("--redis-url", "redis://option/0"),
    ("--server", "redis://server/0"),
    ("ADKSESS_REDIS_URL", "redis://adksess/0"),
    ("ADKSESS_SERVER", "redis://named/0"),
    ("REDIS_URL", "redis://plain/0"),
    ("the default of", "redis://default/0"),
    ("built-in default", "redis://localhost:6379/0"),
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        'default = "default"\n[servers.default]\nurl = "redis://default/0"\n'
        '[servers.server]\nurl = "redis://server/0"\nprefix = "s:"\n'
        '[servers.named]\nurl = "redis://named/0?prefix=n:"\n'
    )
    monkeypatch.setenv("ADKSESS_CONFIG", str(path))
    return path


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_order_of_precedence(config: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    given = [origin for origin, _ in ORDER[first:]]
    for name, value in (
        ("ADKSESS_REDIS_URL", "redis://adksess/0"),
        ("ADKSESS_SERVER", "named"),
        ("REDIS_URL", "redis://plain/0"),
    ):
        if name in given:
            monkeypatch.setenv(name, value)
    if "the default of" not in given:
        config.unlink()
    options = ConnectionOptions(
        redis_url="redis://option/0" if "--redis-url" in given else None,
        server="server" if "--server" in given else None,
    )
    connection = options.resolve()
    assert connection.origin.startswith(ORDER[first][0])
    assert connection.settings.url.startswith(ORDER[first][1])
    origins = options.origins()
    assert len(origins) == len(given) - 1  # the built-in default is not named
    assert all(origin.startswith(name) for origin, name in zip(origins, given, strict=False))


@pytest.mark.parametrize(
    ("variable", "url", "words"),
    [
        (None, "redis://:geheim@db/0", '-r "$ADKSESS_REDIS_URL"'),
        ("redis://:geheim@db/0", "redis://:geheim@db/0", '-r "$ADKSESS_REDIS_URL"'),
        ("redis://other/0", "redis://:geheim@db/0", "-r 'redis://:***@db/0'"),
        ("redis://other/0", "redis://db/0", "-r redis://db/0"),
    ],
)
def test_a_command_to_paste_never_names_another_redis(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, url: str, words: str
) -> None:
    if variable:
        monkeypatch.setenv("ADKSESS_REDIS_URL", variable)
    assert ConnectionOptions(redis_url=url).words() == words


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADKSESS_REDIS_URL", "REDIS_URL", "ADKSESS_SERVER"):
        monkeypatch.setenv(name, "")
    assert ConnectionOptions().resolve().is_built_in
    with pytest.raises(InvalidURL, match="The Redis URL is empty"):
        ConnectionOptions(redis_url=" ").resolve()


@pytest.mark.usefixtures("config")
def test_the_prefix_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADKSESS_PREFIX", "env:")
    for server, option, prefix in (
        ("server", None, "s:"),
        ("server", "o:", "o:"),
        ("server", "", ""),
        ("default", None, "env:"),
    ):
        options = ConnectionOptions(server=server, prefix=option)
        assert options.resolve().settings.prefix == prefix


def test_commands_take_a_server_by_name(
    cli: Run, config: Path, valkey_url: str, database: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(f'[servers.test]\nurl = "{valkey_url}"\nprefix = "p:"\n')
    store_session(f"{valkey_url}?prefix=p:", session_id="named")
    assert cli("list", "-s", "test", "-o", "ids").out == "named\n"
    monkeypatch.setenv("ADKSESS_SERVER", "test")
    assert cli("list", "-o", "ids").out == "named\n"
    assert cli("list", "-o", "ids", "--prefix", "q:").out == ""
    result = cli("list", "-s", "nope")
    assert (result.code, "There is no server 'nope' (--server)" in result.err) == (2, True)


def test_a_password_from_a_command_or_file_logs_in_and_is_never_shown(
    cli: Run, config: Path, valkey_url: str, database: redis.Redis
) -> None:
    database.acl_setuser(
        "guarded", enabled=True, passwords=["+geheim"], categories=["+@all"], keys=["*"]
    )
    address = valkey_url.removeprefix("redis://")
    config.write_text(
        f'[servers.a]\nurl = "redis://guarded@{address}"\npassword_command = "echo geheim"\n'
    )
    config.chmod(0o644)
    (config.parent / "secret").write_text("geheim\n")
    by_file = f'\n[servers.b]\nurl = "redis://guarded@{address}"\npassword_file = "secret"\n'
    config.write_text(config.read_text() + by_file)
    assert cli("list", "-s", "b").code == 0
    result = cli("doctor", "-s", "a", "-o", "json")
    assert result.code == 0
    checks = {check["name"]: check["detail"] for check in json.loads(result.out)}
    assert checks["connection"] == f"redis://guarded:***@{address}, named by --server"
    assert "geheim" not in result.out + result.err
    assert result.err == "", "the file itself holds no password"
    config.write_text(f'default = "a"\n[servers.a]\nurl = "redis://guarded:geheim@{address}"\n')
    result = cli("list")
    assert result.code == 0
    assert f"warning: Other users can read {config}, which has a password" in result.err
    assert "geheim" not in result.out + result.err


@pytest.mark.usefixtures("config")
def test_doctor_says_what_was_overridden(
    cli: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    result = cli("doctor", "-r", valkey_url, "-o", "json")
    assert json.loads(result.out)[0] == {
        "name": "connection",
        "status": "ok",
        "detail": f"{valkey_url}, named by --redis-url, overriding REDIS_URL and the default of "
        f"{config}",
        "remedy": "",
    }


@pytest.fixture
def default_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port as the default one."""
    port = free_port()
    monkeypatch.setattr("adksess.cli.connection.DEFAULT_URL", f"redis://localhost:{port}/0")
    return port


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the embedded data of one session; the working directory is inside it."""
    folder = tmp_path / "project"
    (folder / "inner").mkdir(parents=True)
    with EmbeddedServer(folder / ".adksess") as server:
        store_session(server.url, session_id="kept")
    monkeypatch.chdir(folder / "inner")
    return folder


@pytest.mark.usefixtures("default_port")
def test_embedded_data_is_read_without_serve(cli: Run, project: Path) -> None:
    result = cli("list", "-o", "ids")
    assert (result.code, result.out) == (0, "kept\n")
    data = project / ".adksess"
    assert "using the embedded data in ../.adksess/.\n" in result.err
    assert result.err.startswith("note: No Redis at redis://localhost:")
    assert EmbeddedServer(data).running_port() is None, "it was stopped"


@pytest.mark.usefixtures("default_port")
def test_embedded_data_is_changed_without_serve(cli: Run, project: Path) -> None:
    assert cli("delete", "kept", "--yes").code == 0
    assert cli("list", "-o", "ids").out == ""
    assert EmbeddedServer(project / ".adksess").running_port() is None


@pytest.mark.usefixtures("default_port")
def test_an_error_stops_the_embedded_server(cli: Run, project: Path) -> None:
    assert cli("show", "nowhere").code == 3
    assert EmbeddedServer(project / ".adksess").running_port() is None


@pytest.mark.usefixtures("default_port")
def test_a_running_embedded_server_is_used_and_left_running(cli: Run, project: Path) -> None:
    with EmbeddedServer(project / ".adksess") as server:
        result = cli("list", "-o", "ids")
        assert (result.code, result.out, result.err) == (0, "kept\n", "")
        assert redis.Redis(port=server.port).ping()


def test_the_embedded_server_of_another_project_is_not_used(
    cli: Run, project: Path, default_port: int, tmp_path: Path
) -> None:
    with EmbeddedServer(tmp_path / "other" / ".adksess", default_port) as other:
        store_session(other.url, session_id="of another project")
        assert cli("list", "-o", "ids").out == "kept\n"


def test_a_redis_at_the_default_address_is_used(
    cli: Run, project: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch, database: redis.Redis
) -> None:
    url = valkey_url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr("adksess.cli.connection.DEFAULT_URL", url)
    result = cli("list", "-o", "ids")
    assert (result.code, result.out) == (0, "")
    assert f"No sessions in {url}. The embedded data in ../.adksess/ is not used" in result.err


@pytest.mark.usefixtures("project")
def test_a_named_redis_is_never_replaced(cli: Run, default_port: int) -> None:
    result = cli("list", "-r", f"redis://localhost:{default_port}/0")
    assert (result.code, "Cannot reach Redis" in result.err) == (4, True)


def test_without_data_no_server_is_started(
    cli: Run, default_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("list")
    assert (result.code, "Cannot reach Redis" in result.err) == (4, True)
    assert not (tmp_path / ".adksess").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_the_embedded_server(
    project: Path, default_port: int, number: signal.Signals
) -> None:
    code = (
        "import adksess.cli.connection as connection\n"
        f"connection.DEFAULT_URL = 'redis://localhost:{default_port}/0'\n"
        "from adksess.cli.app import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, "show", "kept", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        server = EmbeddedServer(project / ".adksess")
        assert child.stdout is not None
        assert child.stdout.readline(), "it has read the session"
        port = server.running_port()
        assert port
        child.send_signal(number)
        assert child.wait(20) == 128 + number
    assert not is_listening("127.0.0.1", port)


def test_the_demo_is_suggested_for_this_machine_only(cli: Run, valkey_url: str) -> None:
    demo = "adksess serve --demo"
    assert demo in cli("list", "-r", "redis://127.0.0.1:1").err
    assert demo in cli("list", "-r", valkey_url, "--prefix", "none:").err
    remote = cli("list", "-r", "redis://db.invalid:6379")
    assert (remote.code, demo in remote.err) == (4, False)
    assert "start Redis there, or correct the address" in " ".join(remote.err.split())
    doctor = cli("doctor", "--quick", "-r", "redis://db.invalid:6379")
    assert (doctor.code, demo in doctor.out + doctor.err) == (4, False)
    url = f"redis://0.0.0.0:{urlsplit(valkey_url).port}/0"  # no loopback address, but answers
    empty = cli("list", "-r", url, "--prefix", "none:").err
    assert "Is this the right Redis?" in empty
    assert demo not in empty


@pytest.fixture
def protected(config: Path, valkey_url: str, database: redis.Redis) -> str:
    """A protected server `prod` with one session, and an export of it with other content."""
    config.write_text(f'[servers.prod]\nurl = "{valkey_url}"\nprotected = true\n')
    store_session(valkey_url, session_id="session-1", texts=("hello", "again"))
    return "prod"


@pytest.mark.parametrize(
    "words",
    [
        ["delete", "session-1"],
        ["flush"],
        ["trim", "--app", "demo", "--keep-last", "1"],
        ["ttl", "--app", "demo", "--set", "7d"],
        ["ttl", "session-1", "--set", "7d"],
        ["title", "session-1", "a title"],
        ["state", "set", "session-1", "key", "1"],
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_a_protected_server_asks_for_its_name(
    cli: Run, protected: str, words: list[str], database: redis.Redis
) -> None:
    before = database.get("session:demo:ada:session-1")
    yes = () if words[0] in ("title", "state") else ("--yes",)
    result = cli(*words, "-s", protected, *yes)
    assert result.code == 2
    assert "--confirm prod" in result.err
    assert cli(*words, "-s", protected, "--confirm", "dev").code == 2
    assert database.get("session:demo:ada:session-1") == before
    assert cli(*words, "-s", protected, "--confirm", "prod").code == 0


def test_a_protected_server_asks_for_its_name_before_sessions_are_replaced(
    cli: Run, protected: str, valkey_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "export.ndjson"
    assert cli("export", "-s", protected, "--out", file).code == 0
    append_text(valkey_url, SessionRef("demo", "ada", "session-1"), "since the export")
    replace = ("import", file, "--on-conflict", "replace", "-s", protected)
    result = cli(*replace)
    assert (result.code, "--confirm prod" in result.err) == (2, True)
    assert cli(*replace, "--dry-run").code == 0
    assert cli("import", file, "-s", protected).code == 0, "nothing is replaced"
    assert "since the export" in cli("show", "session-1", "-s", protected).out
    assert cli(*replace, "--confirm", "prod").code == 0
    assert "since the export" not in cli("show", "session-1", "-s", protected).out


def test_nothing_is_asked_where_nothing_is_lost(cli: Run, protected: str) -> None:
    assert cli("state", "get", "session-1", "-s", protected).code == 0
    assert cli("copy", "session-1", "-s", protected).code == 0


@pytest.mark.parametrize("words", [["tail"], ["show", "session-1", "--follow"]], ids=lambda w: w[0])
def test_what_waits_for_events_names_the_server(
    config: Path, protected: str, words: list[str]
) -> None:
    env = {"ADKSESS_CONFIG": str(config)}
    with Terminal(*words, "-s", protected, env=env) as terminal:
        assert "Waiting for events in prod (redis://" in terminal.wait_for("q or Ctrl-C ends")
        terminal.type("q")
        assert terminal.end() == 0


def test_the_watch_header_names_the_server(config: Path, protected: str) -> None:
    words = ("list", "--watch", "0.2", "-s", protected)
    with Terminal(*words, env={"ADKSESS_CONFIG": str(config)}) as terminal:
        assert "1 sessions in prod (redis://" in terminal.wait_for("session-1")


def test_the_list_says_when_sessions_expire_soon(valkey_url: str, database: redis.Redis) -> None:
    store_session(valkey_url, session_id="session-1", ttl=3_700)
    store_session(valkey_url, session_id="session-2")
    with Terminal("list", "-r", valkey_url) as terminal:
        assert terminal.end() == 0
    seen = " ".join(terminal.seen.split())
    assert "1 session expires within 6 hours, the first in 1h 1m." in seen
    assert "adksess ttl ID --persist" in seen
    assert "adksess serve --ttl 30d" in seen
