"""The wiring: what is imported when, errors and exit codes, version and help."""

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from itertools import pairwise
from typing import Any

import pytest
import typer

import adksess
from adksess import __main__
from adksess.cli import app, errors
from adksess.cli.commands.serve import server as serving
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import EXIT_CODES, ExitCode, exit_code_of, fail
from adksess.embedded import EmbeddedUnavailable
from adksess.store.errors import AdksessError, ServerUnavailable, SessionExists
from tests.cli.sessions import store_session

_MODULES = """
import atexit, sys
atexit.register(lambda: sys.stderr.write("\\n".join(sys.modules)))
sys.argv[0] = "adksess"
from adksess.__main__ import main
main()
"""


def imported_by(*args: str) -> set[str]:
    # not -X importtime: that says nothing of what import_module() imports
    done = subprocess.run(
        [sys.executable, "-c", _MODULES, *args], capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines())


@pytest.mark.parametrize(
    ("args", "unwanted"),
    [
        (["--help"], ("google.adk", "redis", "asyncio", "ssl", "email", "importlib.metadata")),
        (["list", "--help"], ("google.adk", "redis")),
        (["serve", "--help"], ("google.adk", "redis")),
        (["doctor", "--help"], ("google.adk", "redis")),
    ],
)
def test_help_imports_neither_adk_nor_redis(args: list[str], unwanted: tuple[str, ...]) -> None:
    modules = imported_by(*args)
    assert "adksess.cli.app" in modules
    assert not [m for m in modules for name in unwanted if m == name or m.startswith(f"{name}.")]


def test_a_command_imports_no_other() -> None:
    modules = imported_by("stats", "--help")
    assert "adksess.cli.commands.stats" in modules
    assert not [m for m in modules if m.startswith("adksess.cli.commands.") and "stats" not in m]


def test_the_list_of_commands_imports_none_of_them() -> None:
    assert not [m for m in imported_by("--help") if m.startswith("adksess.cli.commands.")]


def test_help_lists_what_each_command_says(cli: Callable[..., Any]) -> None:
    group = typer.main.get_command(app.app)
    context = typer.Context(group)
    listed = " ".join(cli("--help").out.replace("│", "").split())
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert f"{name} {command.help.splitlines()[0]}" in listed
        assert f"Examples:\n  adksess {name}" in command.epilog


def test_usage_lines_have_single_brackets(cli: Callable[..., Any]) -> None:
    assert "Usage: adksess ttl [OPTIONS] [ID]...\n" in _usage(cli("ttl", "--help").out)
    assert "Usage: adksess doctor [OPTIONS] [AGENTS_DIR]\n" in _usage(cli("doctor", "--help").out)
    completion = _usage(cli("completion", "--help").out)
    assert "Usage: adksess completion [OPTIONS] {SHELL}\n" in completion


def _usage(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def test_connection_options_come_last_in_every_command_with_a_store(
    cli: Callable[..., Any],
) -> None:
    group = typer.main.get_command(app.app)
    context = typer.Context(group)
    for name in group.list_commands(context):
        if name in ("adk", "servers", "help", "completion"):
            continue
        command = group.get_command(context, name)
        connection = [field.name for field in fields(ConnectionOptions)]
        assert [param.name for param in command.params][-len(connection) :] == connection


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--since", "1h", "--since", "2h"],
        ["list", "-n", "1", "--limit", "2"],
        ["delete", "--app", "a", "--idle", "1d", "--idle=30d", "--yes"],
        ["show", "x", "-r", "redis://a", "--redis-url", "redis://b"],
        ["serve", "--embedded", "--no-embedded"],
    ],
)
def test_an_option_that_takes_one_value_is_rejected_twice(
    cli: Callable[..., Any], words: list[str]
) -> None:
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert "is given twice" in result.err
    assert f"See adksess {words[0]} --help." in result.err


def test_listing_does_not_import_adk(valkey_url: str) -> None:
    modules = imported_by("list", "-r", valkey_url)
    assert "redis" in modules
    assert not [m for m in modules if m == "google" or m.startswith("google.")]


@pytest.mark.parametrize(("alias", "name"), [("ls", "list"), ("rm", "delete")])
def test_short_names_are_the_same_commands(cli: Callable[..., Any], alias: str, name: str) -> None:
    short, long = cli(alias, "--help").out.split(), cli(name, "--help").out.split()
    assert short == [alias if word == name else word for word in long[:4]] + long[4:]


def test_no_help_shows_types_of_python(cli: Callable[..., Any]) -> None:
    group = typer.main.get_command(app.app)
    for name in ("--help", *group.list_commands(typer.Context(group))):
        text = cli(*([name] if name == "--help" else ["help", name])).out
        assert not [kind for kind in ("<bool>", "<str>", "<list", "<int", "<path>") if kind in text]


def test_help_fits_80_columns(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """No choice is broken in two, no default is in parentheses, no line of a text ends early."""
    monkeypatch.setenv("COLUMNS", "80")
    group = typer.main.get_command(app.app)
    for name in group.list_commands(typer.Context(group)):
        lines = cli("help", name).out.splitlines()
        assert not [line for line in lines if re.search("<[a-z-|]+ ", line)]
        assert not [line for line in lines if "default: (" in line]
        text = [line.strip() for line in lines[: _first_panel(lines)]]
        for line, following in pairwise(text):
            if line and following:
                assert len(line) + len(following.split()[0]) >= 77, f"{name}: {line}"


def _first_panel(lines: list[str]) -> int:
    return next((at for at, line in enumerate(lines) if line.startswith("╭")), 0)


def test_help_of_a_command(cli: Callable[..., Any]) -> None:
    assert cli("help").out == cli("--help").out
    assert cli("help", "show").out == cli("show", "--help").out
    assert cli("help", "ls").out == cli("ls", "--help").out
    assert "Run ADK's own command line" in cli("help", "adk").out


@pytest.mark.parametrize(
    ("words", "named", "sentence"),
    [
        (["lst"], "", "No such command 'lst'. Did you mean 'list'?"),
        (["help", "shwo"], "", "No such command 'shwo'. Did you mean 'show'?"),
        (["--app", "x"], "", "No such option: --app."),
        (["list", "--app"], " list", "Option '--app' requires an argument."),
        (
            ["list", "-n", "x"],
            " list",
            "Invalid value for '--limit' / '-n': 'x' is not a whole number.",
        ),
        (
            ["list", "--watch", "0"],
            " list",
            "Invalid value for '--watch' / '-w': 0 is less than 0.1.",
        ),
        (
            ["serve", "--port", "70000"],
            " serve",
            "Invalid value for '--port': 70000 is more than 65535.",
        ),
        (
            ["completion"],
            " completion",
            "Missing argument 'SHELL'. Choose from: bash, zsh, fish.",
        ),
        (
            ["stats", "-o", "csv"],
            " stats",
            "Invalid value for '--output' / '-o': 'csv' is not one of 'table', 'json'.",
        ),
    ],
)
def test_a_wrong_word_names_the_help_of_its_command(
    cli: Callable[..., Any], words: list[str], named: str, sentence: str
) -> None:
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: {sentence} See adksess{named} --help.\n"


def test_version(cli: Callable[..., Any]) -> None:
    result = cli("--version")
    assert (result.code, result.out) == (0, f"adksess {adksess.__version__}\n")


def test_no_command_shows_the_commands(cli: Callable[..., Any]) -> None:
    result = cli()
    assert (result.code, result.err) == (0, "")
    for command in ("serve", "list", "show", "doctor", "adk"):
        assert f"│ {command} " in result.out


def test_a_base_class_never_hides_its_subclass_in_the_table() -> None:
    for position, (kind, _) in enumerate(EXIT_CODES):
        assert not [k for k, _ in EXIT_CODES[:position] if issubclass(kind, k)]


def test_every_error_of_ours_has_an_exit_code() -> None:
    assert exit_code_of(AdksessError()) is ExitCode.FAILED
    assert exit_code_of(EmbeddedUnavailable()) is ExitCode.UNREACHABLE
    assert exit_code_of(ServerUnavailable()) is ExitCode.UNREACHABLE
    assert exit_code_of(KeyboardInterrupt()) is ExitCode.INTERRUPTED
    assert issubclass(AdksessError, errors.KNOWN)


def test_an_error_text_is_printed_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    code = fail(AdksessError("[bold]no[/] markup, \x1b[31mno colour\x07, :smile:\nnext line"))
    assert code is ExitCode.FAILED
    assert capsys.readouterr().err == (
        "error: [bold]no[/] markup, \\x1b[31mno colour\\x07, :smile:\nnext line\n"
    )


def test_ctrl_c_is_130_and_says_nothing(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "claim_port", interrupted)
    result = cli("serve", "--demo")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_ctrl_c_while_modules_are_imported_is_130_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "main", interrupted)
    monkeypatch.setattr(sys, "argv", ["adksess", "serve"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130


def test_an_unknown_error_is_not_swallowed(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(serving, "claim_port", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        cli("serve", "--demo")


def test_debug_shows_tracebacks_and_commands_but_no_contents(
    cli: Callable[..., Any], valkey_url: str
) -> None:
    name = store_session(valkey_url, "debug", "ada", "s1", texts=("my secret",)).path
    result = cli("show", name, "-r", valkey_url, "--debug")
    assert result.code == 0
    assert "redis: HGETALL user_state:debug:ada\n" in result.err
    assert "secret" not in result.err
    wrong = "redis://:hidden@127.0.0.1:1"
    for words in (("--debug", "list", "-r", wrong), ("show", "--debug", "nope", "-r", valkey_url)):
        result = cli(*words)
        assert result.code in (3, 4)
        assert "Traceback (most recent call last)" in result.err
        assert "\nerror: " in result.err
        assert "hidden" not in result.err
    assert "redis: " not in cli("show", name, "-r", valkey_url).err
    assert "Traceback" not in cli("show", "nope", "-r", valkey_url).err


@pytest.mark.parametrize(
    "words", [["show", "ch\udce4t"], ["list", "--app", "\udce4"], ["list", "--prefix", "\udce4"]]
)
def test_arguments_that_are_not_text(
    cli: Callable[..., Any], valkey_url: str, words: list[str]
) -> None:
    with suppress(SessionExists):  # then an index is asked for the name
        store_session(valkey_url, "text", "ada", "stored")
    result = cli(*words, "-r", valkey_url)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: A name on the command line is not valid text: write it in UTF-8.\n"
    )
