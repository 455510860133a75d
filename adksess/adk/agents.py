"""Agents in a folder: what ADK's loader finds, and what their files say."""

from pathlib import Path

from adksess.store.errors import AdksessError

_AGENT_FILES = ("agent.py", "root_agent.yaml")


class FolderUnreadable(AdksessError):
    """The folder cannot be listed."""


def find_agents(agents_dir: Path, command: str) -> list[str]:
    """Return the names of the agents that ADK's `web` or `api_server` offers from a folder."""
    from google.adk.cli import fast_api

    # Undocumented names of ADK 2.13. Without them the files in the folder decide.
    name = "NestedAgentLoader" if command == "web" else "AgentLoader"
    loader = getattr(fast_api, name, None)
    if loader is None:
        return [agents_dir.name] if is_agent(agents_dir) else agent_folders(agents_dir)
    names: list[str] = loader(str(agents_dir)).list_agents()
    return names


def agent_folders(agents_dir: Path) -> list[str]:
    """Return the names of the folders that hold an agent, judged by their files.

    Raises FolderUnreadable.
    """
    try:
        folders = sorted(path for path in agents_dir.iterdir() if path.is_dir())
    except OSError as exc:
        raise FolderUnreadable(f"Cannot read {agents_dir}: {exc.strerror}.") from exc
    return [path.name for path in folders if is_agent(path)]


def is_agent(folder: Path) -> bool:
    """Whether the folder holds an agent, judged by the files that ADK looks for."""
    if any((folder / name).is_file() for name in _AGENT_FILES):
        return True
    init = folder / "__init__.py"
    try:
        return init.is_file() and "root_agent" in init.read_text(errors="replace")
    except OSError:
        return False
