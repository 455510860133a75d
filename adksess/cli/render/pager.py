"""Show output that is longer than the screen in a pager."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def paged(console: Console, *, is_wanted: bool = True) -> Iterator[Console]:
    """Yield a console whose output is shown at the end: in $PAGER if it is too long.

    `less` is called with FRX, as git does: it passes colors on and ends by itself. Without a
    terminal, or with PAGER=cat, nothing is paged.
    """
    command = shlex.split(os.environ.get("PAGER", "less"))
    if not (is_wanted and console.is_terminal and os.isatty(1) and command and command != ["cat"]):
        yield console
        return
    with console.capture() as capture:
        yield console
    text = capture.get()
    if text.count("\n") < console.height:
        console.file.write(text)
        return
    try:
        environment = {"LESS": "FRX", **os.environ}
        # PAGER is the user's own command, as in git
        subprocess.run(command, input=text.encode(), env=environment, check=False)  # noqa: S603
    except OSError:  # no such program
        console.file.write(text)
