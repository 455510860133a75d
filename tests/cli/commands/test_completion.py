"""`adksess completion`: its scripts in real interactive shells, with hostile names in Redis."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from adksess.cli import candidates
from tests.cli.sessions import store_session
from tests.cli.shells import InteractiveShell, interactive_shell
from tests.conftest import Run

_HOSTILE = [
    r"9f\$(touch pwned)",
    "9f$(touch pwned)",
    "9f`touch pwned`",
    "9f;touch pwned;",
    "9f'$(touch pwned)'",
    '9f"$(touch pwned)"',
    "9f|touch pwned",
    "9f&touch pwned",
    "9f\ntouch pwned\n",
    "9f\x1b[31m",
    "9f\ttouch pwned",
    "9f>pwned",
    "9f{a,b}",
    "9f*",
    "9f~",
    "9f!!",
    "9f\u202etxt",
    "9f a",
]


def completed(run: Run, *words: str) -> list[str]:
    """What a script gets for the last of the words."""
    result = run("completion", "bash", "--complete", "--", *words)
    assert result.err == ""
    assert (result.code == 10) == (result.out == "")
    return [line.partition("\t")[0] for line in result.out.splitlines()]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "SECONDS", 30)


@pytest.mark.usefixtures("database")
def test_words_come_from_redis_and_from_the_commands(run: Run, valkey_url: str) -> None:
    store_session(valkey_url, "demo", "ada", "8e42aa01")
    store_session(valkey_url, "weather", "böb", "17")
    assert completed(run, "show", "8") == ["8e42aa01"]
    assert completed(run, "delete", "17", "") == ["17", "8e42aa01"]
    assert completed(run, "rm", "8") == ["8e42aa01"]
    assert completed(run, "list", "--app", "") == ["demo", "weather"]
    assert completed(run, "list", "--app=we") == ["--app=weather"]
    assert completed(run, "list", "-u", "b") == ["böb"]
    assert completed(run, "list", "--app", "demo", "--prefix", "p:", "--user", "") == []
    assert completed(run, "sh") == ["show"]
    assert completed(run, "list", "--sort", "u") == ["updated"]
    assert "--with-user-state" in completed(run, "delete", "--w")
    assert completed(run, "import", "fi") == []
    assert completed(run, "nonsense", "x") == []


@pytest.mark.usefixtures("database")
def test_only_words_without_special_characters_are_offered(run: Run, valkey_url: str) -> None:
    for name in _HOSTILE:
        store_session(valkey_url, f"a{name}", f"u{name}", name)
    harmless = ["9f-x_1.2@b/c+d=e,f%g:h", "9fäöلא会"]
    for name in harmless:
        store_session(valkey_url, "demo", "ada", name)
    assert completed(run, "show", "9f") == harmless
    assert completed(run, "list", "--app", "") == ["demo"]
    assert completed(run, "list", "--user", "") == ["ada"]
    store_session(valkey_url, "demo", "ada", "-9")
    assert completed(run, "show", "demo") == ["demo/ada/-9"]


def test_names_of_servers(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    monkeypatch.setenv("ADKSESS_CONFIG", str(config))
    assert completed(run, "list", "--server", "") == []
    tables = (f"[servers.{name}]\nurl = 'redis://h'\n" for name in ("prod", "dev", '"$(id)"'))
    config.write_text("".join(tables))
    assert completed(run, "list", "-s", "") == ["dev", "prod"]
    assert completed(run, "list", "--server", "p") == ["prod"]
    assert completed(run, "servers", "use", "d") == ["dev"]
    config.write_text("broken")
    assert completed(run, "list", "-s", "") == []


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "nonsense"])
def test_no_candidates_without_redis(run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ADKSESS_REDIS_URL", url)
    assert completed(run, "show", "8") == []


def test_completion_scripts_of_earlier_versions_get_an_empty_answer(
    run: Run, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_session(valkey_url, session_id=_HOSTILE[0])
    monkeypatch.setenv("_ADKSESS_COMPLETE", "complete_zsh")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "adksess show 9")
    result = run()
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(
    request: pytest.FixtureRequest, tmp_path: Path, valkey_url: str, database: redis.Redis
) -> Iterator[InteractiveShell]:
    """The shell, with harmless and hostile sessions in Redis."""
    if shutil.which(request.param) is None:
        assert os.environ.get("CI") != "true", f"{request.param} is not installed"
        pytest.skip(f"{request.param} is not installed")
    store_session(valkey_url, "demo", "ada", "8e42aa01")
    store_session(valkey_url, "demo", "it's", "chat:1:first")
    for name in (*_HOSTILE, "9fgood"):
        store_session(valkey_url, "other", name, name)
    with interactive_shell(request.param, tmp_path, valkey_url) as started:
        yield started


@pytest.mark.timeout(300)  # each Tab starts Python
def test_in_a_real_shell(shell: InteractiveShell, tmp_path: Path) -> None:
    # the first Tab of the shell, too
    assert shell.run("adksess show 8e\t") == "['show', '8e42aa01']"
    assert shell.run("adksess del\t8e\t") == "['delete', '8e42aa01']"
    assert shell.run("adksess list --app=dem\t") == "['list', '--app=demo']"
    assert shell.run("adksess show chat:1:f\t") == "['show', 'chat:1:first']"
    assert shell.run("adksess show cha\t") == "['show', 'chat:1:first']"
    assert shell.run("adksess list --with\t") == "['list', '--with']"
    assert shell.run("adksess delete --with-u\t") == "['delete', '--with-user-state']"
    assert shell.run("adksess list --user 9fg\t") == "['list', '--user', '9fgood']"
    assert shell.run("adksess show 9f\t") == "['show', '9fgood']"
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.timeout(300)  # each Tab starts Python
def test_hostile_names_are_neither_offered_nor_run(
    shell: InteractiveShell, tmp_path: Path, valkey_url: str
) -> None:
    commands = [name.removeprefix("9f") for name in _HOSTILE if "touch pwned" in name][:2]
    for number, command in enumerate(commands):
        store_session(valkey_url, "demo", "ada", f"h{number}-{command}")
    for number in range(len(commands)):
        # the only candidate, which Tab would insert and Enter would run
        assert shell.run(f"adksess show h{number}-\t") == f"['show', 'h{number}-']"
    assert not list((tmp_path / "work").iterdir())


def test_the_words_are_listed_with_their_descriptions(shell: InteractiveShell) -> None:
    shell.type("adksess se\t\t" if shell.name == "bash" else "adksess s\t\t")
    shell.wait_for("serve" if shell.name == "bash" else "ADK's web UI")
