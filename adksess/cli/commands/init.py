"""`adksess init`: write the services.py that makes ADK's own commands know redis://."""

import ast
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from adksess.cli.command import command
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import AgentsDirArgument, ConnectionOptions
from adksess.store.errors import AdksessError
from adksess.store.settings import DEFAULT_TTL

if TYPE_CHECKING:
    from adksess.store.settings import Settings

SERVICES = '''\
"""Sessions in Redis for ADK's own commands, which load this before they choose a service."""

from adksess import register_services

register_services()
'''
_LINES = "from adksess import register_services\n\nregister_services()"


class CannotWrite(AdksessError):
    """services.py cannot be written."""


@command(
    "adksess init agents",
    "adksess init agents --agent",
)
def init(
    agents_dir: AgentsDirArgument = None,
    *,
    agent: Annotated[
        bool,
        typer.Option("--agent", help="Also write into each agent's folder, where `adk run` looks."),
    ] = False,
    connection: ConnectionOptions,
) -> None:
    """Write a services.py that registers redis:// for plain `adk` commands.

    ADK loads it before it chooses its session service. An existing file is never changed: the
    command prints the lines to add.
    """
    from adksess.cli.runner import settings_from

    folder = agents_dir or Path()
    if not folder.is_dir():
        raise UsageProblem(f"There is no folder {folder}. Name the folder that holds your agents.")
    settings = settings_from(connection)
    if not _init_folder(folder, settings, with_agents=agent):
        raise typer.Exit(ExitCode.FAILED)


def _init_folder(agents_dir: Path, settings: "Settings", *, with_agents: bool) -> bool:
    """Write the files and print what to run. False if an existing file has to be edited."""
    from adksess.adk.agents import agent_folders, is_agent
    from adksess.cli.render.console import message, stderr

    agents = agent_folders(agents_dir)
    folders = [agents_dir]
    if with_agents:
        folders += [agents_dir / name for name in agents]
        if not agents and not is_agent(agents_dir):
            stderr().print(message("warning", f"There is no agent in {agents_dir}."))
    are_registered = [_write(folder) for folder in folders]
    _print_usage(agents_dir, agents, settings, with_agents=with_agents)
    return all(are_registered)


def _write(folder: Path) -> bool:
    """Write a services.py unless there is one. False if the existing one does not register us."""
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text

    package = folder / "services" / "__init__.py"
    if package.exists():
        # Python prefers a package to a module of the same name: ours would never be loaded.
        return _check_existing(package, f"ADK loads {package} as your services.")
    path = folder / "services.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(SERVICES)
    except FileExistsError:
        return _check_existing(path, f"{path} exists and was not changed.")
    except OSError as exc:
        raise CannotWrite(
            f"Cannot write {path}: {exc.strerror}. Name a folder that you can write to."
        ) from exc
    stdout().print(f"Wrote {safe_text(str(path))}", markup=False)
    return True


def _check_existing(path: Path, problem: str) -> bool:
    """Whether a file registers adksess; if it does not, print `problem` and the lines to add."""
    from adksess.cli.render.console import message, stderr

    is_registered = _registers(path)
    if is_registered:
        stderr().print(message("note", f"{path} registers adksess already."))
    else:
        stderr().print(message("error", f"{problem} Add these lines to it:\n\n{_LINES}\n"))
    return is_registered


def _registers(path: Path) -> bool:
    """Whether a user's file calls register_services()."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError, OSError):
        return False
    is_imported = any(
        isinstance(node, ast.ImportFrom | ast.Import)
        and (
            "adksess" in (getattr(node, "module", "") or "")
            or any(alias.name.startswith("adksess") for alias in node.names)
        )
        for node in ast.walk(tree)
    )
    is_called = any(
        isinstance(node, ast.Call)
        and "register_services" in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
        for node in ast.walk(tree)
    )
    return is_imported and is_called


def _print_usage(
    agents_dir: Path, agents: list[str], settings: "Settings", *, with_agents: bool
) -> None:
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text

    folder = shlex.quote(str(agents_dir))
    agent = shlex.quote(str(agents_dir / (agents[0] if agents else "AGENT")))
    option = f"--session_service_uri={shlex.quote(_uri(settings))}"
    inside = f"--session_service_uri=redis://HOST:6379/0{_query(settings)}"
    run_note = "" if with_agents else "   (needs adksess init --agent)"
    console = stdout()
    for line in (
        "",
        "Now ADK's own commands keep sessions in Redis:",
        "",
        f"  adk web {option} {folder}",
        f"  adk api_server {option} {folder}",
        f"  adk run {option} {agent}{run_note}",
        "",
        "`adk web` and `adk api_server` read services.py in the folder they are given,",
        "`adk run` in the agent's own folder.",
        "",
        "In a container:",
        "",
        "  requirements.txt:  adksess",
        "  Dockerfile:        COPY " + folder + " /app/agents",
        '                     CMD ["adk", "api_server", "--host=0.0.0.0", "--port=8080", \\',
        f'                          "{inside}", \\',
        '                          "/app/agents"]',
    ):
        console.print(safe_text(line), markup=False, soft_wrap=True)


def _uri(settings: "Settings") -> str:
    """The URI to pass to ADK, with *** in place of the password."""
    shown, query = settings.redacted, _query(settings)
    return shown + query.replace("?", "&", 1) if "?" in shown else shown + query


def _query(settings: "Settings") -> str:
    """adksess's own options as the query of a URI; empty for the defaults."""
    own = {
        "ttl": str(settings.ttl) if settings.ttl != DEFAULT_TTL else "",
        "prefix": settings.prefix,
        "conflict": settings.conflict if settings.conflict != "append" else "",
    }
    query = urlencode({name: value for name, value in own.items() if value}, safe=":")
    return f"?{query}" if query else ""
