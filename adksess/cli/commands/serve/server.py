"""Run `adksess serve`: choose the Redis server, print the banner, run ADK's server."""

import shlex
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adksess.adk.agents_subprocess import AgentsCheck
from adksess.cli.commands.serve import warnings as serve_warnings
from adksess.cli.commands.serve.background import (
    indexing_foreign_sessions,
    print_created_sessions,
)
from adksess.cli.commands.serve.banner import Banner, print_banner, server_url
from adksess.cli.commands.serve.outages import shorten_outages
from adksess.cli.commands.serve.port import claim_port
from adksess.cli.connection import Connection, choose_embedded, default_port
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.render.console import message, stderr
from adksess.cli.runner import with_store
from adksess.cli.web_servers import noted
from adksess.demo import AGENTS_DIR as DEMO_AGENTS_DIR
from adksess.embedded import DATA_DIR, EmbeddedServer
from adksess.store.models import ServerInfo
from adksess.store.settings import Settings

_AGENT_FOLDER = """A folder of agents looks like this:

  agents/
    my_agent/
      __init__.py
      agent.py        which sets root_agent

To try adksess without an agent: adksess serve --demo"""


_CHECK_SECONDS = 3.0  # to wait for agents to be imported


@dataclass(frozen=True)
class ServeOptions:
    """Options of `adksess serve`.

    `adk_args` go to ADK. `embedded`: True always uses the embedded server, False never, None only
    if no Redis is named and none is at the default address.
    """

    connection: Connection
    adk_args: Sequence[str]
    command: str
    host: str
    port: int
    demo: bool
    verbose: bool
    embedded: bool | None


@dataclass(frozen=True)
class _Agents:
    """What is served: the folder, the names of its agents, ADK's option --url_prefix.

    `failures` are the agents that cannot be imported, with the reasons.
    """

    folder: Path
    names: tuple[str, ...]
    url_prefix: str
    failures: Mapping[str, str]


def serve_agents(options: ServeOptions) -> int:
    """Serve until stopped. Returns the exit code."""
    given = _parse_adk_args(options.command, options.adk_args)
    agents_dir = _agents_dir(given, demo=options.demo)
    port = claim_port(options.host, options.port)
    settings = options.connection.settings
    with ExitStack() as stack:
        stack.enter_context(_stop_signals_as_ctrl_c())
        embedded = _choose_embedded(options)
        # A Redis that does not answer is reported before ADK is imported, which takes seconds.
        info = None if embedded else _check(settings)
        agents = _load_agents(options, agents_dir, str(given.get("url_prefix", "")), stack)
        if embedded:
            stack.enter_context(embedded)
            # A second Ctrl-C must not interrupt the server's shutdown.
            stack.callback(_ignore_stop_signals)
            settings = replace(settings, url=embedded.url)
        _announce(options, settings, info or _check(settings), embedded, agents, port)
        stack.enter_context(indexing_foreign_sessions(settings))
        if options.verbose:
            print_created_sessions()
        shorten_outages()
        url = server_url(options.host, port, agents.url_prefix)
        stack.enter_context(noted(url, settings, has_ui=options.command == "web"))
        code = run_adk(options.command, _server_args(options, settings, port, agents_dir))
    if code == ExitCode.OK:
        kept = f"in {embedded.data_dir}" if embedded else "in Redis"
        stderr().print(f"Stopped. Your sessions are kept {kept}.")
    return code


def _announce(
    options: ServeOptions,
    settings: Settings,
    info: ServerInfo,
    embedded: EmbeddedServer | None,
    agents: _Agents,
    port: int,
) -> None:
    """Print the banner and the warnings."""
    connection = replace(options.connection, settings=settings)
    print_banner(
        Banner(
            connection=connection,
            redis_server=f"{info.server} {info.version}",
            embedded=embedded,
            agents=agents.names,
            host=options.host,
            port=port,
            url_prefix=agents.url_prefix,
            api=options.command == "api_server",
            warnings=(
                *(embedded.repairs if embedded else ()),
                *serve_warnings.address_warnings(options.host, port),
                *serve_warnings.redis_warnings(info, settings),
                *serve_warnings.services_warnings(agents.folder, settings),
                *serve_warnings.folder_warnings(agents.folder, agents.names),
                *serve_warnings.import_warnings(agents.failures),
                *serve_warnings.unserved_warnings(settings, agents.names),
                *serve_warnings.local_session_warnings(agents.folder, connection),
            ),
        )
    )


def _server_args(
    options: ServeOptions, settings: Settings, port: int, agents_dir: Path
) -> list[str]:
    """The arguments for ADK's `web` or `api_server`."""
    args = [
        f"--host={options.host}",
        f"--port={port}",
        f"--session_service_uri={settings.uri}",
        *options.adk_args,
    ]
    if options.demo:
        # ADK would store uploads next to the agent, inside the installed package.
        args += ["--artifact_service_uri=memory://", str(agents_dir)]
    return args


def _parse_adk_args(command: str, adk_args: Sequence[str]) -> Mapping[str, object]:
    from adksess.adk.launch import InvalidServerArgs, parse_server_args

    try:
        given = parse_server_args(command, adk_args)
    except InvalidServerArgs as exc:
        if exc.parameter == "agents_dir":
            raise UsageProblem(f"{exc} {_AGENT_FOLDER}") from exc
        raise UsageProblem(f"{exc} See adksess serve --help and adk {command} --help.") from exc
    if "session_service_uri" in given:
        raise UsageProblem(
            "adksess serve sets the session service itself: name the Redis with --redis-url. For "
            "another service use adksess adk web --session_service_uri=URI AGENTS_DIR"
        )
    if "use_local_storage" in given:
        raise UsageProblem(
            "adksess serve keeps sessions in Redis: leave out --use_local_storage and "
            "--no_use_local_storage."
        )
    return given


def _agents_dir(given: Mapping[str, object], *, demo: bool) -> Path:
    if demo:
        if "agents_dir" in given:
            raise UsageProblem("--demo has its own agent: leave out AGENTS_DIR or --demo.")
        return DEMO_AGENTS_DIR
    return Path(str(given.get("agents_dir", "."))).resolve()


def _load_agents(
    options: ServeOptions, agents_dir: Path, url_prefix: str, stack: ExitStack
) -> _Agents:
    """Find the agents, and wait a moment for the check whether they can be imported."""
    if options.demo:
        return _Agents(agents_dir, _find_agents(agents_dir, options.command), url_prefix, {})
    # The child process imports the agents while ADK is imported in this one.
    check = stack.enter_context(AgentsCheck(agents_dir, options.command))
    names = _find_agents(agents_dir, options.command)
    failures = check.failures(_CHECK_SECONDS, late=_print_import_failures)
    return _Agents(agents_dir, names, url_prefix, failures)


def _print_import_failures(failures: Mapping[str, str]) -> None:
    for warning in serve_warnings.import_warnings(failures):
        stderr().print(message("warning", warning))


def _find_agents(agents_dir: Path, command: str) -> tuple[str, ...]:
    from adksess.adk.agents import find_agents

    agents = find_agents(agents_dir, command)
    if not agents:
        deeper = sorted(path.parent for path in agents_dir.glob("*/*/agent.py"))
        if deeper:
            raise UsageProblem(
                f"There is no agent in {agents_dir}, but in folders inside it. Serve one of those: "
                f"adksess serve {shlex.quote(str(deeper[0].parent))}"
            )
        raise UsageProblem(f"There is no agent in {agents_dir}. {_AGENT_FOLDER}")
    return tuple(agents)


def _choose_embedded(options: ServeOptions) -> EmbeddedServer | None:
    """The embedded server to use, or None to use a running Redis."""
    data_dir = Path(DATA_DIR)
    if options.embedded:
        return EmbeddedServer(data_dir, default_port())
    if options.embedded is None and options.connection.is_built_in:
        return choose_embedded(data_dir, default_port())
    return None


def _check(settings: Settings) -> ServerInfo:
    return with_store(settings, lambda store: store.check())


def run_adk(command: str, args: Sequence[str]) -> int:
    """Run ADK's web server with Redis sessions registered. Returns its exit code."""
    from adksess.adk.launch import run_server
    from adksess.adk.registry import register_services

    register_services()
    # ADK warns at every start that some of its own features are experimental.
    warnings.filterwarnings("ignore", message=r"\[EXPERIMENTAL\]", category=UserWarning)
    try:
        return run_server(command, args)
    except KeyboardInterrupt:
        # The normal way to stop a server.
        return ExitCode.OK


@contextmanager
def _stop_signals_as_ctrl_c() -> Iterator[None]:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that the embedded server is always stopped.

    uvicorn shuts down on SIGTERM and raises it again, which by default kills the process at once.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def terminate(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)  # uvicorn does not handle SIGHUP

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt),
        signal.SIGHUP: signal.signal(signal.SIGHUP, terminate),
        signal.SIGINT: signal.getsignal(signal.SIGINT),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_stop_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
