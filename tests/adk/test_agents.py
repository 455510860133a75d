"""Agents in a folder, by ADK's loader and by their files."""

from pathlib import Path

import pytest
from google.adk.cli import fast_api

from adksess.adk import agents_subprocess
from adksess.adk.agents import FolderUnreadable, agent_folders, find_agents, is_agent
from adksess.adk.agents_subprocess import AgentsCheck
from adksess.demo import AGENTS_DIR
from tests.servers import wait_until

COMMANDS = pytest.mark.parametrize("command", ["web", "api_server"])


@COMMANDS
def test_agents_are_those_that_adk_finds(command: str, tmp_path: Path) -> None:
    assert find_agents(AGENTS_DIR, command) == ["remember"]
    assert find_agents(AGENTS_DIR / "remember", command) == ["remember"]
    assert find_agents(tmp_path, command) == []


@COMMANDS
def test_without_adks_loader_the_files_decide(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NestedAgentLoader", "AgentLoader"):
        monkeypatch.setitem(vars(fast_api), name, None)
    test_agents_are_those_that_adk_finds(command, tmp_path)


def test_files_of_an_agent(tmp_path: Path) -> None:
    for name, file, text in (
        ("a", "agent.py", ""),
        ("b", "root_agent.yaml", ""),
        ("c", "__init__.py", "root_agent = None"),
        ("d", "__init__.py", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    assert agent_folders(tmp_path) == ["a", "b", "c"]
    assert not is_agent(tmp_path)
    with pytest.raises(FolderUnreadable, match="Cannot read"):
        agent_folders(tmp_path / "nowhere")


def test_agents_that_cannot_be_imported_are_reported_with_the_reason(tmp_path: Path) -> None:
    for name, text in (
        ("good", "from adksess.demo.agents.remember.agent import root_agent\nprint('noise')\n"),
        ("missing", "import no_such_package\n"),
        ("failing", "raise ValueError('no key')\n"),
        ("leaving", "import sys; sys.exit(3)\n"),
        ("empty", ""),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.py").write_text(text)
    with AgentsCheck(tmp_path, "web") as check:
        failures = check.failures(50, late=pytest.fail)
    assert set(failures) == {"missing", "failing", "leaving", "empty"}
    assert failures["missing"].endswith("No module named 'no_such_package'")
    assert failures["failing"] == "ValueError: no key"
    assert failures["leaving"] == "its module calls sys.exit()"
    assert "No root_agent found for 'empty'" in failures["empty"]


def test_a_report_that_takes_longer_comes_later(tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    wait = f"import pathlib\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists(): pass\n"
    (tmp_path / "slow" / "agent.py").write_text(f"{wait}raise ValueError('no key')\n")
    reports: list[dict[str, str]] = []
    with AgentsCheck(tmp_path, "web") as check:
        assert check.failures(0, late=reports.append) == {}
        (tmp_path / "go").touch()
        wait_until(lambda: reports, 40)
    assert reports == [{"slow": "ValueError: no key"}]


def test_an_agent_that_ends_the_check(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "agent.py").write_text("import os; os._exit(3)\n")
    with AgentsCheck(tmp_path, "web") as check:
        assert check.failures(50, late=pytest.fail) == {}


def test_an_agent_that_blocks_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents_subprocess, "TIMEOUT_SECONDS", 0.1)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "agent.py").write_text("import time; time.sleep(100)\n")
    with AgentsCheck(tmp_path, "web") as check:
        assert check.failures(50, late=pytest.fail) == {}
    with AgentsCheck(tmp_path, "web"):
        pass  # ends at once: the child is killed
