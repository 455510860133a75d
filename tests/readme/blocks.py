"""Console blocks of the documentation: a `$ command`, and below it what it prints."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One command of a console block, and the output below it."""

    command: str
    output: str


def blocks(text: str) -> list[list[Run]]:
    """The console blocks of a page, each a list of commands."""
    return [list(_runs_of(block)) for block in _BLOCK.findall(text)]


def rewrite(text: str, reset: Callable[[], None], output_of: Callable[[str], str]) -> str:
    """Return the page with current outputs. An output that only differs in time is kept.

    `reset` is called before each block, `output_of` runs a command.
    """

    def regenerate(block: re.Match[str]) -> str:
        reset()
        return "```console\n" + "\n\n".join(map(current, _runs_of(block[1]))) + "\n```"

    def current(run: Run) -> str:
        output = output_of(run.command)
        if masked(output) == masked(run.output):
            output = run.output
        return f"$ {run.command}\n{output}".rstrip()

    return _BLOCK.sub(regenerate, text)


def masked(text: str) -> str:
    """Replace what differs from run to run. Widths are kept, so that alignment is compared."""
    for pattern, mask in _VOLATILE:
        text = re.sub(pattern, mask, text)
    lines = (line.rstrip() for line in text.splitlines())
    # One line for each day: around midnight there is one more.
    return "\n".join(line for line in lines if not _DAY.fullmatch(line)).strip()


_DAY = re.compile(r"YYYY-MM-DD(  [█#]+ +\d+)?")
_VOLATILE = (
    (r"--wheel-dir wheels \S+", "--wheel-dir wheels CLONE"),
    (r"\d{4}-\d\d-\d\d", "YYYY-MM-DD"),
    (r"\d\d:\d\d:\d\d", "HH:MM:SS"),
    (r"SS\.\d{6}\+00:00", "SS.ffffff+00:00"),
    (r"\b23h \d\dm\b", "23h MMm"),
    (r"\b84[45]\d\d\b", "84NNN"),
    (r"--before \d{16}-[0-9a-f]{16}-\d{16}", "--before CURSOR"),
    (r"\d+\.\d+ ms", "N.N ms"),
    (r"\d+\.\d+ MB used", "N.N MB used"),
    (r"(\.gz \()\d+(\s+bytes)", r"\1NNN\2"),
    (r"(Valkey|Redis|google-adk|redis|adksess) \d+(\.\d+)+", r"\1 VERSION"),
)


def _runs_of(block: str) -> Iterator[Run]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more}"
        yield Run(command, output.strip("\n"))
