"""`adksess serve`: errors before anything is started, and the banner."""

import re
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from adksess import __version__
from adksess.cli.commands.serve.banner import Banner, addresses, next_command, print_banner
from adksess.cli.commands.serve.port import claim_port
from adksess.cli.config import Server
from adksess.cli.connection import Connection
from adksess.store.settings import Settings
from tests.servers import free_port


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one agent, `agents`, in the working directory."""
    folder = tmp_path / "agents" / "bot"
    folder.mkdir(parents=True)
    (folder / "agent.py").write_text("root_agent = None\n")
    monkeypatch.chdir(tmp_path)
    return folder.parent


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["nowhere"], 2, "Directory 'nowhere' does not exist."),
        (["--nope", "agents"], 2, "No such option '--nope'"),
        (["agents", "more"], 2, "unexpected extra argument (more)"),
        (["--demo", "agents"], 2, "--demo has its own agent"),
        (["agents", "--session_service_uri", "memory://"], 2, "name the Redis with --redis-url"),
        (["agents", "--session_service_uri=memory://"], 2, "name the Redis with --redis-url"),
        (["agents", "--use_local_storage"], 2, "leave out --use_local_storage"),
        (["agents", "--no_use_local_storage"], 2, "leave out --use_local_storage"),
        (["agents", "--embedded", "-r", "redis://x"], 2, "cannot be combined"),
        (["agents", "--ttl", "soon"], 2, "'soon' is not a duration"),
        (["agents", "-r", "http://x"], 2, "must start with one of redis://"),
        (["agents", "--host", "192.0.2.1"], 2, "not an address of this machine"),
        (["agents", "--port", "0", "-r", "redis://:secret@localhost:1"], 4, "start Redis there"),
    ],
)
def test_usage_errors(
    cli: Callable[..., object], words: list[str], code: int, sentence: str
) -> None:
    port = () if "--port" in words else ("--port", "0")
    result = cli("serve", *port, *words)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert sentence in result.err
    assert "secret" not in result.err
    assert not Path(".adksess").exists()


@pytest.mark.parametrize("variable", ["REDIS_URL", "ADKSESS_REDIS_URL"])
def test_a_url_from_the_environment_is_never_replaced_by_the_embedded_server(
    cli: Callable[..., object], agents: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "redis://127.0.0.1:1/0")
    result = cli("serve", agents, "--port", 0)
    assert result.code == 4
    assert "redis://127.0.0.1:1/0" in result.err
    assert not Path(".adksess").exists()


def test_no_embedded_fails_if_nothing_listens_at_the_default_address(
    cli: Callable[..., object], agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setattr("adksess.cli.connection.DEFAULT_URL", f"redis://localhost:{port}/0")
    result = cli("serve", agents, "--port", 0, "--no-embedded")
    assert result.code == 4
    assert "start Redis there" in result.err


def test_a_folder_without_agents_shows_what_one_looks_like(
    cli: Callable[..., object], tmp_path: Path, valkey_url: str
) -> None:
    result = cli("serve", tmp_path, "--port", 0, "-r", valkey_url)
    assert result.code == 2
    assert f"There is no agent in {tmp_path}." in result.err
    assert "agents/\n    my_agent/\n" in result.err
    assert "adksess serve --demo" in result.err


def test_a_taken_port_names_a_free_one(cli: Callable[..., object], agents: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("serve", agents, "--port", port)
    assert result.code == 2
    assert f"Port {port} is in use" in result.err
    assert "choose another port: --port " in result.err


def test_a_taken_port_under_make_names_its_variable(
    cli: Callable[..., object], agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = cli("serve", agents, "--port", taken.getsockname()[1])
    assert "choose another port: make serve PORT=" in result.err


def test_a_port_in_time_wait_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()  # the side that closes first keeps the port in TIME_WAIT
    assert claim_port("127.0.0.1", port) == port


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/adksess")


BANNER = Banner(
    connection=Connection(
        Settings.parse("redis://:secret@db.example:6379/0", ttl=5400), "--redis-url"
    ),
    redis_server="Redis 7.2.0",
    embedded=None,
    agents=("travel agent",),
    host="127.0.0.1",
    port=8000,
    url_prefix="",
    api=False,
)


def connected_to(url: str, *, prefix: str | None = None, ttl: int | None = None) -> Banner:
    """The banner of a Redis at the default address."""
    settings = Settings.parse(url, prefix=prefix, ttl=ttl)
    return replace(BANNER, connection=Connection(settings, "built-in default", is_built_in=True))


_EXPIRE = "  Expire    1h 30m after their last event; to keep them: --ttl 30d, or adksess"
EXPIRE = {80: [_EXPIRE, "            ttl ID --persist"], 120: [f"{_EXPIRE} ttl ID --persist"]}
_WHERE = "            in another terminal, with ADKSESS_REDIS_URL set to this URL; Ctrl-C"
WHERE_TO_TYPE = {
    80: [_WHERE, "            stops this server"],
    120: [f"{_WHERE} stops this server"],
}


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_banner(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_banner(replace(BANNER, warnings=("Anyone can read this.",)))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.rstrip() for line in printed.err.splitlines()] == [
        "",
        f"  adksess {__version__} with ADK {version('google-adk')}, sessions in Redis 7.2.0",
        "",
        "  Open      http://127.0.0.1:8000/dev-ui/?app=travel%20agent",
        "  Agents    travel agent",
        "  Sessions  redis://:***@db.example:6379/0",
        *EXPIRE[columns],
        '  Next      adksess list -r "$ADKSESS_REDIS_URL"',
        *WHERE_TO_TYPE[columns],
        "",
        "warning: Anyone can read this.",
        "",
    ]


def test_the_next_command_works_where_adksess_is_not_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.chdir(tmp_path)
    default = connected_to("redis://localhost")
    for program, shown in (
        (str(tmp_path / ".venv/bin/adksess"), ".venv/bin/adksess list"),
        ("/opt/tools/adksess", "/opt/tools/adksess list"),
        ("/somewhere/adksess/__main__.py", "python -m adksess list"),
    ):
        monkeypatch.setattr(sys, "argv", [program, "serve"])
        assert next_command(default) == shown


@pytest.mark.usefixtures("on_path")
def test_other_banners() -> None:
    ui = "http://127.0.0.1:8000/dev-ui/"
    assert addresses(replace(BANNER, agents=("a", "b"))) == [f"{ui}?app=a", f"{ui}?app=b"]
    assert addresses(replace(BANNER, agents=tuple("abcdef"))) == [ui]
    assert addresses(replace(BANNER, api=True, host="0.0.0.0")) == ["http://127.0.0.1:8000/docs"]
    assert addresses(replace(BANNER, api=True, host="::1")) == ["http://[::1]:8000/docs"]
    assert addresses(replace(BANNER, url_prefix="/a/"))[0].startswith("http://127.0.0.1:8000/a/dev")
    assert next_command(connected_to("redis://localhost")) == "adksess list"
    prefixed = connected_to("redis://localhost", prefix="prod:")
    assert next_command(prefixed) == "adksess list --prefix prod:"
    named = Connection(Settings.parse("redis://db/0?a=b"), "--redis-url")
    assert next_command(replace(BANNER, connection=named)) == "adksess list -r 'redis://db/0?a=b'"
    slot = Connection(Settings.parse("redis://db?ttl=7d&single_slot=true"), "--redis-url")
    command = next_command(replace(BANNER, connection=slot))
    assert command == "adksess list -r 'redis://db?single_slot=true'"
    server = Server("prod", "redis://:geheim@db/0", prefix="p:", protected=True)
    settings = Settings.parse(server.url, prefix="p:")
    by_name = replace(BANNER, connection=Connection(settings, "--server", server))
    assert next_command(by_name) == "adksess list -s prod"


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(("ttl", "shown"), [(0, "never"), (7 * 86_400, "7 days after their last")])
def test_the_banner_says_when_sessions_expire(
    capsys: pytest.CaptureFixture[str], ttl: int, shown: str
) -> None:
    print_banner(connected_to("redis://localhost", ttl=ttl))
    err = capsys.readouterr().err
    assert f"Expire    {shown}" in err
    assert "--persist" not in err


@pytest.mark.usefixtures("on_path")
def test_the_banner_names_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server("prod", "redis://db/0", protected=True)
    connection = Connection(Settings.parse(server.url), "ADKSESS_SERVER", server)
    print_banner(replace(BANNER, connection=connection))
    assert "  Sessions  redis://db/0\n            server prod, protected\n" in re.sub(
        r" +\n", "\n", capsys.readouterr().err
    )
