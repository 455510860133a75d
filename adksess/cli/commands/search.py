"""`adksess search`: find text, tool calls and errors in stored conversations."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adksess.cli.command import command
from adksess.cli.connection import ConnectionOptions
from adksess.cli.errors import ExitCode, UsageProblem
from adksess.cli.options import FilterOptions, UtcOption

if TYPE_CHECKING:
    from adksess.cli.filters import Filters
    from adksess.conversation.search import Match, SearchOptions, SearchProgress
    from adksess.store.settings import Settings
    from adksess.store.store import SessionStore


class SearchOutput(StrEnum):
    """The output formats of `search`."""

    TABLE = "table"
    NDJSON = "ndjson"
    IDS = "ids"


@dataclass(frozen=True)
class SearchCommandOptions:
    """Options of `search`. A `limit` of 0 means no limit."""

    settings: "Settings"
    filters: "Filters"
    search: "SearchOptions"
    typed: str
    limit: int
    output: SearchOutput
    utc: bool


@command(
    "adksess search 'order 4711'",
    "adksess search --errors --since 1h",
    "adksess search refund --tool request_refund --app support",
    "adksess search -o ids 'secret word' | adksess delete - --dry-run",
)
def search(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="Text to search for.", show_default=False),
    ] = None,
    *,
    filters: FilterOptions,
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Only events of this author.")
    ] = None,
    tool: Annotated[
        str | None,
        typer.Option("--tool", metavar="NAME", help="Only calls and results of this tool."),
    ] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Only errors: of models, runs and tools.")
    ] = False,
    regex: Annotated[
        bool, typer.Option("--regex", help="TEXT is a regular expression (Python's).")
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Ignore upper and lower case.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of matches; 0 for all.")
    ] = 50,
    utc: UtcOption = False,
    output: Annotated[
        SearchOutput, typer.Option("--output", "-o", help="Output format.")
    ] = SearchOutput.TABLE,
    connection: ConnectionOptions,
) -> None:
    """Find text in messages, speech, tool calls, errors, titles and state."""
    from adksess.cli.filters import Filters
    from adksess.conversation.search import SearchOptions
    from adksess.conversation.text_pattern import InvalidPattern, TextPattern

    if not text and tool is None and not errors:
        raise UsageProblem("search needs a TEXT, or --tool NAME, or --errors.")
    try:
        pattern = TextPattern(text, is_regex=regex, ignore_case=ignore_case) if text else None
    except InvalidPattern as exc:
        raise UsageProblem(str(exc)) from exc
    parsed = Filters.parse(filters)
    print_matches(
        SearchCommandOptions(
            settings=connection.settings(),
            filters=parsed,
            search=SearchOptions(pattern, author, tool, errors, parsed.statuses),
            typed=repr(text) if text else "such an event",
            limit=limit,
            output=output,
            utc=utc,
        )
    )


def print_matches(options: SearchCommandOptions) -> None:
    """Print the matches as they are found. Raises typer.Exit(NOT_FOUND) if there are none."""
    from adksess.cli.render.console import stderr
    from adksess.cli.render.styles import MUTED
    from adksess.cli.render.text import counted, safe_text
    from adksess.cli.runner import with_store
    from adksess.conversation.search import SearchProgress

    progress = SearchProgress()

    async def work(store: "SessionStore") -> tuple[int, bool, str]:
        from adksess.cli.empty import explain_empty

        printed, stopped = await _print_while_searching(store, options, progress)
        empty = "" if progress.sessions else await explain_empty(store, options.filters)
        return printed, stopped, empty

    printed, stopped, empty = with_store(options.settings, work)
    console = stderr()
    if progress.unreadable:
        count = counted(progress.unreadable, "session")
        console.print(f"{count} could not be read; adksess doctor names them.", style=MUTED)
    if stopped:
        matches = counted(printed, "match", "matches")
        console.print(f"Stopped at {matches}; -n 0 shows all.", style=MUTED)
    if not printed:
        where = options.settings.redacted
        kept = f" that match {options.filters.typed}" if options.filters.given else ""
        searched = counted(progress.sessions, "session")
        sentence = f"No match for {options.typed} in {searched}{kept} of {where}."
        console.print(safe_text(empty or sentence), style=MUTED, markup=False)
        raise typer.Exit(ExitCode.NOT_FOUND)


async def _print_while_searching(
    store: "SessionStore", options: SearchCommandOptions, progress: "SearchProgress"
) -> tuple[int, bool]:
    """Return how many lines were printed, and whether the search stopped at the limit."""
    from contextlib import aclosing

    from adksess.cli.render.match_lines import MatchPrinter
    from adksess.conversation.search import search

    printer = MatchPrinter(utc=options.utc) if options.output is SearchOutput.TABLE else None
    printed = 0
    only = options.filters.at(await store.now())
    async with aclosing(search(store, only, options.search, progress)) as found:
        async for matches in found:
            if options.output is SearchOutput.IDS:
                matches = matches[:1]
            for match in matches:
                if printer:
                    printer.print(match)
                else:
                    _print_line(match, options.output)
                printed += 1
                if printed == options.limit:  # the next match may be a million sessions away
                    return printed, True
    return printed, False


def _print_line(match: "Match", output: SearchOutput) -> None:
    import sys

    from adksess.cli.render.json_output import write_json
    from adksess.cli.selection import exact_name

    if output is SearchOutput.NDJSON:
        write_json(_fields(match), indent=None)
    else:
        sys.stdout.write(exact_name(match.ref, match.key) + "\n")
    sys.stdout.flush()


def _fields(match: "Match") -> dict[str, Any]:
    from adksess.cli.render.match_lines import snippet

    return {
        "key": match.key,
        **match.ref._asdict(),
        "event_number": match.number,
        "event_id": match.event_id,
        "timestamp": match.timestamp,
        "author": match.author,
        "field": match.field,
        "snippet": snippet(match.found)[0],
    }
