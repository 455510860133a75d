"""Load agents in a child process, to report those that cannot be imported.

Run as `python -m adksess.adk.agents_subprocess`. The request is JSON on stdin, the report JSON on
stdout: agent names and reasons. The child loads while the parent imports ADK itself.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

TIMEOUT_SECONDS = 120.0
"""How long the imports may take. An agent that loads a model library takes many seconds."""

Failures = dict[str, str]
"""The reason for each agent that cannot be imported."""


class AgentsCheck:
    """A running check. As a context manager it stops the child process at the end of the block."""

    def __init__(self, agents_dir: Path, command: str) -> None:
        self._request = json.dumps({"agents_dir": str(agents_dir), "command": command})
        self._failures: Failures = {}
        self._report: Callable[[Failures], None] | None = None
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "adksess.adk.agents_subprocess"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches only this process, which then stops the child
        )

    def __enter__(self) -> "AgentsCheck":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._report = None
        self._process.kill()
        self._thread.join()

    def failures(self, seconds: float, late: Callable[[Failures], None]) -> Failures:
        """Wait for the report. If it takes longer, `late` is called with it, in a thread.

        Empty if the child ends without a report, or takes longer than TIMEOUT_SECONDS.
        """
        if not self._finished.wait(seconds):
            self._report = late
        return self._failures

    def _collect(self) -> None:
        try:
            out, _ = self._process.communicate(self._request, timeout=TIMEOUT_SECONDS)
            self._failures = json.loads(out.splitlines()[-1])
        except (subprocess.TimeoutExpired, OSError, ValueError, IndexError):
            self._process.kill()
            self._process.communicate()
        self._finished.set()
        if self._report is not None:
            self._report(self._failures)


def import_failures(agents_dir: Path, command: str) -> Failures:
    """Load every agent of a folder as ADK does; return the reason for each that fails."""
    from google.adk.cli import fast_api

    from adksess.adk.agents import find_agents

    loader_class = getattr(fast_api, "NestedAgentLoader" if command == "web" else "AgentLoader")
    loader = loader_class(str(agents_dir))
    reasons = {}
    for name in find_agents(agents_dir, command):
        try:
            loader.load_agent(name)
        except Exception as exc:  # an agent's module may raise anything
            reasons[name] = _reason(exc)
        except SystemExit:
            reasons[name] = "its module calls sys.exit()"
    return reasons


def _reason(exc: BaseException) -> str:
    """The first line of the original error: ADK wraps it in its own, which repeats paths."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    lines = str(exc).splitlines() or [""]
    return f"{type(exc).__name__}: {lines[0]}"


def _main() -> None:
    request = json.load(sys.stdin)
    report_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what agents print must not reach the report
    reasons = import_failures(Path(request["agents_dir"]), request["command"])
    report_to.write(json.dumps(reasons) + "\n")
    report_to.flush()
    os._exit(0)  # an agent's threads must not keep this process alive


if __name__ == "__main__":
    _main()
