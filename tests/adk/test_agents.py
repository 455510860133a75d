"""Agents in a folder, as ADK's loader and as their files tell."""

from pathlib import Path

import pytest
from google.adk.cli import fast_api

from adksess.adk.agents import FolderUnreadable, agent_folders, find_agents, is_agent
from adksess.demo import AGENTS_DIR

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
