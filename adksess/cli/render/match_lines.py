"""Matches of a search: lines below a heading on a terminal, whole lines in a pipe."""

from rich.text import Text

from adksess.cli.render.cells import isolated
from adksess.cli.render.console import is_terminal, stdout
from adksess.cli.render.styles import ACCENT, ERROR, ID, MUTED
from adksess.cli.render.text import safe_text
from adksess.cli.render.times import moment
from adksess.conversation.search import Match
from adksess.conversation.text_pattern import Found

_NUMBER_WIDTH = 6
_INDENT = _NUMBER_WIDTH + 2
_BEFORE = 60
_LENGTH = 200
_ELLIPSIS = "…"
_MATCH_STYLE = f"bold {ERROR}"
_PLAIN_FIELDS = ("text", "")


class MatchPrinter:
    """Prints matches as they are found. On a terminal a session is named once."""

    def __init__(self, *, utc: bool = False) -> None:
        self._console = stdout()
        self._utc = utc
        self._session = ""

    def print(self, match: Match) -> None:
        """Print one line, wrapped on a terminal."""
        line = self._line(match)
        if is_terminal():
            if match.key != self._session:
                gap = "\n" if self._session else ""
                self._console.print(Text(gap + safe_text(match.ref.path), style=ID), soft_wrap=True)
                self._session = match.key
            number = Text(f"{match.number or '':>{_NUMBER_WIDTH}}  ", style=MUTED)
            width = max(self._console.width - _INDENT, 20)
            line = number + Text("\n" + " " * _INDENT).join(line.wrap(self._console, width))
        else:
            line = Text(f"{safe_text(match.ref.path)}  {match.number or '-'}  ") + line
        self._console.print(line, soft_wrap=True)

    def _line(self, match: Match) -> Text:
        line = Text.assemble((f"{self._time(match)}  ", MUTED))
        if match.author:
            line.append(f"{safe_text(match.author)}  ", style=ACCENT)
        if match.field not in _PLAIN_FIELDS:
            line.append(f"{match.field}: ", style=MUTED)
        return line + shown_match(match.found)

    def _time(self, match: Match) -> str:
        if match.timestamp is None:
            return "-"
        return f"{moment(match.timestamp, utc=self._utc):%Y-%m-%d %H:%M:%S}"


def snippet(found: Found) -> tuple[str, int, int]:
    """Return the part of a line around its match, and where the match is in that part."""
    start = max(0, found.start - _BEFORE)
    end = min(len(found.line), start + _LENGTH)
    before = _ELLIPSIS if start else ""
    after = _ELLIPSIS if end < len(found.line) else ""
    shift = len(before) - start
    return before + found.line[start:end] + after, found.start + shift, min(found.end, end) + shift


def shown_match(found: Found) -> Text:
    """Return the snippet, escaped, with the match marked."""
    text, start, end = snippet(found)
    parts = (text[:start], text[start:end], text[end:])
    if isolated(text) != text:  # right-to-left letters: a mark may not split them
        return Text(isolated(safe_text(text)))
    first, marked, last = map(safe_text, parts)
    return Text.assemble(first, (marked, _MATCH_STYLE if marked else ""), last)
