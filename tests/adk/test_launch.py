"""ADK's command line, run in our process."""

from pathlib import Path

import click
import pytest

from adksess.adk import launch
from adksess.adk.launch import InvalidServerArgs, parse_server_args, run_adk


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ([], {}),
        (["agents"], {"agents_dir": "agents"}),
        (["--log_level", "DEBUG", "agents"], {"log_level": "DEBUG", "agents_dir": "agents"}),
        (["agents", "--reload_agents"], {"agents_dir": "agents", "reload_agents": True}),
        (["-v", "agents"], {"verbose": True, "agents_dir": "agents"}),
        (["--no_use_local_storage"], {"use_local_storage": False}),
        (["--allow_origins", "a", "--allow_origins=b"], {"allow_origins": ("a", "b")}),
    ],
)
@pytest.mark.parametrize("command", ["web", "api_server"])
def test_values_of_options_are_not_the_agents_folder(
    command: str,
    args: list[str],
    given: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "agents").mkdir()
    monkeypatch.chdir(tmp_path)
    expected = given | ({"agents_dir": str(tmp_path / "agents")} if "agents_dir" in given else {})
    assert parse_server_args(command, args) == expected


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--nope"], "No such option"),
        ([".", "more"], "unexpected extra argument"),
        (["nowhere"], "'nowhere' does not exist"),
        (["--log_level"], "requires an argument"),
    ],
)
def test_a_wrong_argument_is_a_sentence(args: list[str], sentence: str) -> None:
    with pytest.raises(InvalidServerArgs, match=sentence):
        parse_server_args("web", args)


def test_adk_exit_codes_are_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_adk(["--version"]) == 0
    assert run_adk(["web", "--nope"]) == 2
    assert "No such option '--nope'" in capsys.readouterr().err


def test_ctrl_c_in_adk_is_ctrl_c_here(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    @click.command()
    def failed() -> None:
        raise SystemExit(3)

    monkeypatch.setattr(launch, "adk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_adk([])
    monkeypatch.setattr(launch, "adk", failed)
    with pytest.raises(SystemExit, match="3"):
        run_adk([])
