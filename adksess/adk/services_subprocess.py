"""Loading a folder's services.py in a process of its own, so that nothing of it stays in ours.

Run as `python -m adksess.adk.services_subprocess`: the request comes as JSON on stdin, where no
process list shows the URI, and the report leaves as JSON on stdout.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from adksess.adk.registry import Registered, ServicesReport, inspect_services
from adksess.store.errors import AdksessError

_SECONDS = 60


class ServicesCheckFailed(AdksessError):
    """The folder's own code ended the process, or never ended."""


def check_services(folder: Path, uri: str, *, register_first: bool) -> ServicesReport:
    """What `inspect_services` reports, found in a child process. Raises ServicesCheckFailed."""
    request = {"folder": str(folder), "uri": uri, "register_first": register_first}
    try:
        child = subprocess.run(
            [sys.executable, "-m", "adksess.adk.services_subprocess"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        report = json.loads(child.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as exc:
        raise ServicesCheckFailed(
            f"The services files in {folder} could not be loaded to the end "
            f"({type(exc).__name__}): run `adk web {folder}` and see what it prints."
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
    answer_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the folder's code prints is no part of the answer
    report = inspect_services(
        Path(request["folder"]), request["uri"], register_first=request["register_first"]
    )
    answer_to.write(json.dumps({**asdict(report), "folder": str(report.folder)}) + "\n")
    answer_to.flush()


if __name__ == "__main__":
    main()
