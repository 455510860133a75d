"""The work of `adksess init`: write services.py where ADK looks for it, and say what to run."""

import ast
import shlex
from pathlib import Path
from urllib.parse import urlencode

from adksess.cli.errors import UsageProblem
from adksess.cli.render.console import message, stderr, stdout
from adksess.cli.render.text import safe_text
from adksess.store.errors import AdksessError
from adksess.store.settings import DEFAULT_TTL, Settings

SERVICES = '''\
"""Sessions in Redis for ADK's own commands, which load this before they choose a service."""

from adksess import register_services

register_services()
'''
_LINES = "from adksess import register_services\n\nregister_services()"


class InitProblem(AdksessError):
    """A folder in which nothing can be written."""


def init_folder(agents_dir: Path, settings: Settings, *, agents_too: bool) -> bool:
    """Write the files and print what to run. False when there is one that must be added to."""
    if not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}: name the one your agents are in.")
    agents = agent_folders(agents_dir)
    folders = [agents_dir]
    if agents_too:
        folders += [agents_dir / name for name in agents]
        if not agents and not _is_agent(agents_dir):
            stderr().print(message("warning", f"There is no agent in {agents_dir}."))
    done = [_write(folder) for folder in folders]
    _explain(agents_dir, agents, settings, agents_too=agents_too)
    return all(done)


def agent_folders(agents_dir: Path) -> list[str]:
    """The folders of agents, by the files that ADK looks for in them."""
    try:
        folders = sorted(path for path in agents_dir.iterdir() if path.is_dir())
    except OSError as exc:
        raise InitProblem(f"Cannot read {agents_dir}: {exc.strerror}.") from exc
    return [path.name for path in folders if _is_agent(path)]


def _is_agent(folder: Path) -> bool:
    names = ("agent.py", "root_agent.yaml")
    if any((folder / name).is_file() for name in names):
        return True
    init = folder / "__init__.py"
    try:
        return init.is_file() and "root_agent" in init.read_text(errors="replace")
    except OSError:
        return False


def _write(folder: Path) -> bool:
    """Write a services.py, unless there is one. False when that one does not register us."""
    console = stderr()
    package = folder / "services" / "__init__.py"
    if package.exists():
        # Python prefers a package to a module of the same name: ours would never be loaded
        if _registers(package):
            console.print(message("note", f"{package} registers adksess already."))
            return True
        console.print(
            message("error", f"ADK loads {package} as your services. Add to it:\n\n{_LINES}\n")
        )
        return False
    path = folder / "services.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(SERVICES)
    except FileExistsError:
        if _registers(path):
            console.print(message("note", f"{path} registers adksess already."))
            return True
        console.print(
            message("error", f"{path} is yours and was left as it is. Add to it:\n\n{_LINES}\n")
        )
        return False
    except OSError as exc:
        raise InitProblem(
            f"Cannot write {path}: {exc.strerror}. Name a folder that you may write in."
        ) from exc
    stdout().print(f"Wrote {safe_text(str(path))}", markup=False)
    return True


def _registers(path: Path) -> bool:
    """Whether a file of the user's calls register_services()."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError, OSError):
        return False
    imported = any(
        isinstance(node, ast.ImportFrom | ast.Import)
        and (
            "adksess" in (getattr(node, "module", "") or "")
            or any(alias.name.startswith("adksess") for alias in node.names)
        )
        for node in ast.walk(tree)
    )
    called = any(
        isinstance(node, ast.Call)
        and "register_services" in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
        for node in ast.walk(tree)
    )
    return imported and called


def _explain(agents_dir: Path, agents: list[str], settings: Settings, *, agents_too: bool) -> None:
    folder = shlex.quote(str(agents_dir))
    one = shlex.quote(str(agents_dir / (agents[0] if agents else "AGENT")))
    option = f"--session_service_uri={shlex.quote(_uri(settings))}"
    inside = f"--session_service_uri=redis://HOST:6379/0{_query(settings)}"
    run_needs = "" if agents_too else "   (needs adksess init --agent)"
    print_ = stdout().print
    rows = [
        "",
        "Now ADK's own commands keep sessions in Redis:",
        "",
        f"  adk web {option} {folder}",
        f"  adk api_server {option} {folder}",
        f"  adk run {option} {one}{run_needs}",
        "",
        "`adk web` and `adk api_server` read services.py in the folder they are given,",
        "`adk run` in the agent's own.",
        "",
        "In a container:",
        "",
        "  requirements.txt:  adksess",
        "  Dockerfile:        COPY " + folder + " /app/agents",
        '                     CMD ["adk", "api_server", "--host=0.0.0.0", "--port=8080", \\',
        f'                          "{inside}", \\',
        '                          "/app/agents"]',
    ]
    for row in rows:
        print_(safe_text(row), markup=False, soft_wrap=True)


def _uri(settings: Settings) -> str:
    """The URI to give to ADK, with *** where the password belongs."""
    shown, query = settings.redacted, _query(settings)
    return shown + query.replace("?", "&", 1) if "?" in shown else shown + query


def _query(settings: Settings) -> str:
    """adksess's own options, as the end of a URI that has no others; empty for the defaults."""
    own = {
        "ttl": str(settings.ttl) if settings.ttl != DEFAULT_TTL else "",
        "prefix": settings.prefix,
        "conflict": settings.conflict if settings.conflict != "append" else "",
    }
    query = urlencode({name: value for name, value in own.items() if value}, safe=":")
    return f"?{query}" if query else ""
