"""Interactive shells on a terminal, with completion of adksess loaded as a user would."""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 60

# Completes as adksess does, with a long time limit; prints its arguments instead of running.
_ADKSESS = f"""#!{sys.executable}
import sys
from adksess.cli import candidates
candidates.SECONDS = 30
if sys.argv[1:2] == ["completion"]:
    from adksess.cli.app import main
    main()
print("RAN", sys.argv[1:], "END")
"""


class InteractiveShell:
    """A shell on a terminal of 200 columns; `seen` is its output that was not read yet."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self._master, slave = pty.openpty()
        subprocess.run(["stty", "rows", "50", "columns", "200"], stdin=slave, check=True)
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            cwd=folder,
            start_new_session=True,
            # shells need a terminal of their own for job control
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> str:
        """Read on until the text is shown. Returns what came since the last call, and drops it."""
        deadline = time.monotonic() + _SECONDS
        while text not in self.seen:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{text!r} was not shown, but: {self.seen!r}")
            self.seen += os.read(self._master, 65_536).decode("utf-8", "replace")
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def run(self, keys: str) -> str:
        """Type the keys and Enter. Returns the arguments with which adksess was then run."""
        self.type(f"{keys}\r")
        return self.wait_for(" END").rpartition("RAN ")[2].removesuffix(" END")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)


@contextmanager
def interactive_shell(name: str, folder: Path, url: str) -> Iterator[InteractiveShell]:
    """bash, zsh or fish without settings, in an empty folder, at its prompt."""
    bin_folder, home = folder / "bin", folder / "home"
    for path in (bin_folder, home, folder / "work"):
        path.mkdir()
    program = bin_folder / "adksess"
    program.write_text(_ADKSESS)
    program.chmod(0o755)
    env = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "ADKSESS_REDIS_URL": url,
    }
    script = subprocess.run(
        [program, "completion", name], env=env, capture_output=True, text=True, check=True
    ).stdout
    command = _install(name, home, script)
    shell = InteractiveShell(name, command, folder / "work", env)
    try:
        shell.run("adksess started")
        yield shell
    finally:
        shell.close()


def _install(name: str, home: Path, script: str) -> list[str]:
    """Install the script as its first lines say. Returns the command that starts the shell."""
    if name == "bash":
        rc = home / ".bashrc"
        rc.write_text(f"PS1='$ '\n{script}")
        return ["bash", "--rcfile", str(rc), "-i"]
    if name == "zsh":
        functions = home / "functions"
        functions.mkdir()
        (functions / "_adksess").write_text(script)
        (home / ".zshrc").write_text(
            f"PS1='$ '\nfpath=({functions} $fpath)\nautoload -Uz compinit && compinit -u\n"
        )
        return ["zsh", "-d", "-i"]
    folder = home / ".config" / "fish" / "completions"
    folder.mkdir(parents=True)
    (folder / "adksess.fish").write_text(script)
    return ["fish", "-i"]
