"""Load a folder's service files in a child process, so that they cannot change this one.

Run as `python -m adksess.adk.services_subprocess`. The request is JSON on stdin, where no process
list shows the URI; the report is JSON on stdout.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from adksess.adk.registry import Registered, ServicesReport, inspect_services
from adksess.store.errors import AdksessError

_TIMEOUT_SECONDS = 60


class ServicesCheckFailed(AdksessError):
    """The folder's code ended the process, or did not return in time."""


def check_services(folder: Path, uri: str, *, register_first: bool) -> ServicesReport:
    """Call `inspect_services` in a child process. Raises ServicesCheckFailed."""
    request = {"folder": str(folder), "uri": uri, "register_first": register_first}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "adksess.adk.services_subprocess"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
        report = json.loads(child.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as exc:
        raise ServicesCheckFailed(
            f"The service files in {folder} end the process that loads them "
            f"({type(exc).__name__}). Run `adk web {folder}` to see their output."
        ) from None
    return ServicesReport(
        folder=folder,
        files=tuple(report["files"]),
        problems=tuple(report["problems"]),
        registered=Registered(**report["registered"]),
    )


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    report_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the folder's code prints must not reach the report
    report = inspect_services(
        Path(request["folder"]), request["uri"], register_first=request["register_first"]
    )
    report_to.write(json.dumps({**asdict(report), "folder": str(report.folder)}) + "\n")
    report_to.flush()


if __name__ == "__main__":
    main()
