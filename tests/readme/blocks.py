"""The README's console blocks: a `$ command` and below it what it prints."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """One command of a console block, and the output that stands below it."""

    command: str
    output: str


def runs(readme: str) -> Iterator[Run]:
    """All commands of all console blocks, in order."""
    for block in _BLOCK.findall(readme):
        yield from _runs_of(block)


def rewrite(readme: str, output_of: Callable[[str], str]) -> str:
    """The README with each output replaced by what the command prints now."""

    def renew(block: re.Match[str]) -> str:
        parts = [f"$ {run.command}\n{output_of(run.command)}" for run in _runs_of(block[1])]
        return "```console\n" + "\n\n".join(part.rstrip() for part in parts) + "\n```"

    return _BLOCK.sub(renew, readme)


def masked(text: str) -> str:
    """The text without what differs from run to run: times, durations, sizes in memory."""
    for pattern, mask in _VOLATILE:
        text = re.sub(pattern, mask, text)
    lines = (line.rstrip() for line in text.splitlines())
    # a line for each day: around midnight there is one more
    return "\n".join(line for line in lines if not _A_DAY.fullmatch(line)).strip()


_A_DAY = re.compile(r"<time>( \d+)?")
_VOLATILE = (
    (r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+\+00:00)?)?", "<time>"),
    (r"\d\d:\d\d:\d\d", "<time>"),
    (r"\b(just now|\d+ (min|h|days?) ago)", "<ago>"),
    (r"\b\d+ days?\b|\b\d+[dhms]( \d+[hms])?\b", "<duration>"),
    (r'"ttl_seconds": ?\d+', '"ttl_seconds": <seconds>'),
    (r"\b86[34]\d\d\b", "<seconds>"),
    (r"\d+\.\d+ ms", "<ms>"),
    (r"\d+(\.\d+)? (bytes|kB|MB)", "<size>"),
    (r"(Valkey|Redis|google-adk|redis|adksess) \d+(\.\d+)+", r"\1 <version>"),
    (r"[ ─━█]+", " "),
)


def _runs_of(block: str) -> Iterator[Run]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more}"
        yield Run(command, output.strip("\n"))
