"""`adksess init`: write the services.py that makes ADK's own commands know redis://."""

import ast
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode, urlsplit

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import AgentsDirArgument, QuietOption
from adksess.store.settings import DEFAULT_TTL

if TYPE_CHECKING:
    from adksess.store.settings import Settings

SERVICES = '''\
"""Sessions in Redis for ADK's own commands, which load this before they choose a service."""

from adksess import register_services

register_services()
'''
_LINES = "from adksess import register_services\n\nregister_services()"


_ARGUMENTS_NOTE = (
    "The shell puts the password into the arguments of adk, where ps shows it. To avoid that, use",
    "`adksess adk web`, which reads the variable, or ?password_file=PATH in the URL.",
    "",
)


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
    quiet: QuietOption = False,
    connection: ConnectionOptions,
) -> None:
    """Write a services.py that registers redis:// for plain `adk` commands.

    ADK loads it before it chooses its session service. An existing file is never changed: the
    command prints the lines to add.
    """
    folder = agents_dir or Path()
    if not folder.is_dir():
        raise UsageProblem(f"There is no folder {folder}. Name the folder that holds your agents.")
    settings = connection.resolve().settings
    if not _init_folder(folder, settings, with_agents=agent, quiet=quiet):
        raise typer.Exit(ExitCode.FAILED)


def _init_folder(agents_dir: Path, settings: "Settings", *, with_agents: bool, quiet: bool) -> bool:
    """Write the files and print what to run. False if an existing file has to be edited."""
    from adksess.adk.agents import agent_folders, is_agent
    from adksess.cli.render.console import message, stderr

    agents = agent_folders(agents_dir)
    folders = [agents_dir]
    if with_agents:
        folders += [agents_dir / name for name in agents]
        if not agents and not is_agent(agents_dir):
            stderr().print(message("warning", f"There is no agent in {agents_dir}."))
    # write all of them, even after a False
    results = [_write(folder, quiet=quiet) for folder in folders]
    is_registered = all(results)
    if not quiet:
        _print_usage(
            agents_dir, agents, settings, with_agents=with_agents, is_registered=is_registered
        )
    return is_registered


def _write(folder: Path, *, quiet: bool) -> bool:
    """Write a services.py unless there is one. False if the existing one does not register us."""
    from adksess.cli.render.console import stdout
    from adksess.cli.render.text import safe_text
    from adksess.transfer.files import file_error

    package = folder / "services" / "__init__.py"
    if package.exists():
        # Python prefers a package to a module of the same name: ours would never be loaded.
        problem = f"ADK loads {package} as your services."
        return _check_existing(package, problem, quiet=quiet)
    path = folder / "services.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(SERVICES)
    except FileExistsError:
        return _check_existing(path, f"{path} exists and was not changed.", quiet=quiet)
    except OSError as exc:
        raise file_error("write", path, exc) from exc
    if not quiet:
        stdout().print(f"Wrote {safe_text(str(path))}", markup=False)
    return True


def _check_existing(path: Path, problem: str, *, quiet: bool) -> bool:
    """Whether a file registers adksess; if it does not, print `problem` and the lines to add."""
    from adksess.cli.render.console import message, stderr

    is_registered = _registers(path)
    if not is_registered:
        stderr().print(message("error", f"{problem} Add these lines to it:\n\n{_LINES}\n"))
    elif not quiet:
        stderr().print(message("note", f"{path} registers adksess already."))
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
    agents_dir: Path,
    agents: list[str],
    settings: "Settings",
    *,
    with_agents: bool,
    is_registered: bool,
) -> None:
    from adksess.cli.render.console import stdout
    from adksess.cli.render.shell import URL_VARIABLE, holds_secret
    from adksess.cli.render.text import safe_text

    folder = shlex.quote(str(agents_dir))
    agent = shlex.quote(str(agents_dir / (agents[0] if agents else "AGENT")))
    option = f"--session_service_uri={_uri_word(settings)}"
    run_note = "" if with_agents else "   (needs adksess init --agent)"
    with_variable = f", with {URL_VARIABLE} set" if holds_secret(settings) else ""
    heading = "Now" if is_registered else "With these lines,"
    console = stdout()
    for line in (
        "",
        f"{heading} ADK's own commands keep sessions in Redis{with_variable}:",
        "",
        f"  adk web {option} {folder}",
        f"  adk api_server {option} {folder}",
        f"  adk run {option} {agent}{run_note}",
        "",
        *(_ARGUMENTS_NOTE if holds_secret(settings) else ()),
        "`adk web` and `adk api_server` read services.py in the folder they are given,",
        "`adk run` in the agent's own folder.",
        "",
        "In a container:",
        "",
        *_container_lines(folder, settings),
    ):
        console.print(safe_text(line), markup=False, soft_wrap=True)


def _container_lines(folder: str, settings: "Settings") -> list[str]:
    """Lines for requirements.txt or, if this adksess is from no package index, to copy a wheel."""
    uri = f"redis://HOST:6379/0{_query(settings)}"
    source = install_source()
    if source is None:
        install = [
            "  requirements.txt:  adksess",
            f"  Dockerfile:        COPY {folder} /app/agents",
        ]
    else:
        install = [
            "  first:             pip wheel --no-deps --wheel-dir wheels " + shlex.quote(source),
            "  Dockerfile:        COPY wheels/adksess-*.whl /tmp/",
            "                     RUN pip install /tmp/adksess-*.whl",
            f"                     COPY {folder} /app/agents",
        ]
    return [
        *install,
        '                     CMD ["adk", "api_server", "--host=0.0.0.0", "--port=8080", \\',
        f'                          "--session_service_uri={uri}", \\',
        '                          "/app/agents"]',
    ]


def install_source() -> str | None:
    """What pip can build this adksess from; None if it comes from a package index.

    pip records the source of a direct installation in direct_url.json (PEP 610).
    """
    from importlib.metadata import distribution
    from urllib.request import url2pathname

    recorded = distribution("adksess").read_text("direct_url.json")
    if recorded is None:
        return None
    source = json.loads(recorded)
    url = str(source["url"])
    if repository := source.get("vcs_info"):
        return f"{repository['vcs']}+{url}@{repository['commit_id']}"
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else url


def _uri_word(settings: "Settings") -> str:
    """The URI for ADK as one word for a shell, with adksess's own options, without a password."""
    from adksess.cli.render.shell import holds_secret, url_word

    own = _own_options(settings)
    if holds_secret(settings):  # then the URL in the variable has its own options
        own = {k: v for k, v in own.items() if v != _own_options(settings.parse(settings.url))[k]}
    return url_word(settings, **own)


def _query(settings: "Settings") -> str:
    """adksess's own options as the query of a URI; empty for the defaults."""
    query = urlencode({k: v for k, v in _own_options(settings).items() if v}, safe=":")
    return f"?{query}" if query else ""


def _own_options(settings: "Settings") -> dict[str, str]:
    """adksess's own options as they are written in a URI; the defaults are empty."""
    return {
        "ttl": str(settings.ttl) if settings.ttl != DEFAULT_TTL else "",
        "prefix": settings.prefix,
        "conflict": settings.conflict if settings.conflict != "append" else "",
    }
