"""The work of `adksess serve`: check Redis, start one where there is none, hand over to ADK."""

import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adksess.cli.commands.serve import warnings as serve_warnings
from adksess.cli.commands.serve.background import (
    entering_sessions_of_others,
    print_created_sessions,
)
from adksess.cli.commands.serve.banner import Banner, print_banner
from adksess.cli.commands.serve.port import claim_port
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.render.console import stderr
from adksess.cli.runner import with_store
from adksess.demo import AGENTS_DIR as DEMO_AGENTS_DIR
from adksess.embedded import DEFAULT_PORT, EmbeddedServer, embedded_folder, is_listening
from adksess.store.models import ServerInfo
from adksess.store.settings import Settings

_AGENT_FOLDER = """A folder of agents looks like this:

  agents/
    my_agent/
      __init__.py
      agent.py        which sets root_agent

To see it work without one: adksess serve --demo"""


@dataclass(frozen=True)
class ServeOptions:
    """What was asked for. `adk_args` go to ADK; `embedded` is None where it is left to us."""

    settings: Settings
    url_given: bool
    adk_args: Sequence[str]
    command: str
    host: str
    port: int
    demo: bool
    verbose: bool
    embedded: bool | None


def serve_agents(request: ServeOptions) -> int:
    """Serve until stopped. Returns the exit code."""
    settings, command, adk_args = request.settings, request.command, request.adk_args
    given = _read(command, adk_args)
    agents_dir = _agents_dir(given, demo=request.demo)
    port = claim_port(request.host, request.port)
    if request.demo:
        # ADK would keep uploads beside the agent, which is inside the installed package.
        adk_args = [*adk_args, "--artifact_service_uri=memory://", str(agents_dir)]

    with ExitStack() as stack:
        stack.enter_context(_stop_signals_as_ctrl_c())
        server = _embedded_server(request.embedded, url_given=request.url_given)
        info = None if server else _check(settings)
        agents = _find_agents(agents_dir, command)
        if server:
            stack.enter_context(server)
            # Whoever is impatient must not leave the server behind half stopped.
            stack.callback(_ignore_stop_signals)
            info = _check(settings)
        assert info is not None
        is_default_server = not request.url_given or server is not None
        borrowed = embedded_folder(DEFAULT_PORT) if is_default_server and not server else None
        print_banner(
            Banner(
                settings=settings,
                server=f"{info.server} {info.version}",
                data_dir=server.data_dir if server else borrowed,
                adopted=bool(server and server.adopted),
                agents=agents,
                host=request.host,
                port=port,
                url_prefix=str(given.get("url_prefix", "")),
                api=command == "api_server",
                is_default_server=is_default_server,
                cautions=(
                    *serve_warnings.about_the_address(request.host, port),
                    *serve_warnings.about_redis(info, settings),
                    *serve_warnings.about_a_borrowed_server(borrowed),
                    *serve_warnings.about_services(agents_dir, settings),
                ),
            )
        )
        stack.enter_context(entering_sessions_of_others(settings))
        if request.verbose:
            print_created_sessions()
        address = [
            f"--host={request.host}",
            f"--port={port}",
            f"--session_service_uri={settings.uri}",
        ]
        code = _run(command, [*address, *adk_args])
    if code == ExitCode.OK:
        stderr().print("Stopped. The sessions are there again at the next start.")
    return code


def _read(command: str, adk_args: Sequence[str]) -> Mapping[str, object]:
    from adksess.adk.launch import parse_server_args

    try:
        given = parse_server_args(command, adk_args)
    except ValueError as exc:
        raise UsageProblem(f"{exc} See adksess serve --help and adk {command} --help.") from exc
    if "session_service_uri" in given:
        raise UsageProblem(
            "adksess serve chooses the session service: name the Redis with --redis-url. For "
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
            raise UsageProblem("--demo brings its own agent: leave out AGENTS_DIR or --demo.")
        return DEMO_AGENTS_DIR
    agents_dir = Path(str(given.get("agents_dir", ".")))
    if not agents_dir.is_dir():
        raise UsageProblem(f"There is no folder {agents_dir}. {_AGENT_FOLDER}")
    return agents_dir.resolve()


def _find_agents(agents_dir: Path, command: str) -> tuple[str, ...]:
    from adksess.adk.launch import find_agents

    agents = find_agents(agents_dir, command)
    if not agents:
        raise UsageProblem(f"There is no agent in {agents_dir}. {_AGENT_FOLDER}")
    return tuple(agents)


def _embedded_server(wanted: bool | None, *, url_given: bool) -> EmbeddedServer | None:
    """The embedded server to start, or None where a Redis is to be used that is there."""
    server = EmbeddedServer(port=DEFAULT_PORT)
    if wanted is None and not url_given:
        wanted = not is_listening("localhost", server.port) or server.is_orphan()
    return server if wanted else None


def _check(settings: Settings) -> ServerInfo:
    return with_store(settings, lambda store: store.check())


def _run(command: str, args: Sequence[str]) -> int:
    from adksess.adk.launch import run_server
    from adksess.adk.registry import register_services

    register_services()
    # ADK warns at every start that parts of its own are experimental.
    warnings.filterwarnings("ignore", message=r"\[EXPERIMENTAL\]", category=UserWarning)
    try:
        return run_server(command, args)
    except KeyboardInterrupt:
        # How a server is meant to end, so not an error.
        return ExitCode.OK


@contextmanager
def _stop_signals_as_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP end us like Ctrl-C, so that the embedded server is always stopped.

    uvicorn shuts down on SIGTERM and then raises it again, which by default kills the process
    on the spot.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def terminate(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)  # for uvicorn, which does not know SIGHUP

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
