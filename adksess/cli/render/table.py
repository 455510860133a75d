"""Tables that fit the console: columns get their share of its width.

Laid out here, not by rich.table, which takes most of a millisecond per row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from rich.cells import cell_len
from rich.text import Span, Text

from adksess.cli.render.cells import cut_end, cut_middle, padded

WIDE = 110
"""Tables of this width and more have two blanks between columns."""


class Room(IntEnum):
    """Kinds of columns, in the order in which a narrow table shortens them; FIXED ones never."""

    FLEXIBLE = 10
    ID = 20
    NAME = 8
    FIXED = 0

    @property
    def least(self) -> int:
        """The width that a column keeps."""
        return int(self)


@dataclass(frozen=True)
class Column:
    """A column: its header, the text of each row (escaped), and how it looks.

    `styles` holds a style for each row, or one for all. Names and ids are cut in the middle, to
    `longest` columns in any case; `keep` holds how many characters of each stay before the cut.
    """

    header: str
    cells: Sequence[str]
    styles: Sequence[str] | str = ""
    room: Room = Room.FIXED
    right: bool = False
    longest: int | None = None
    keep: Sequence[int] = ()

    @property
    def wanted(self) -> int:
        """The width that shows every cell whole, up to its limit."""
        width = max(cell_len(self.header), max(map(cell_len, self.cells), default=0))
        return width if self.longest is None else min(width, self.longest)

    def cell(self, row: int, width: int) -> str:
        """Return the header (row -1) or the cell of a row, cut to `width` columns."""
        text = self.cells[row] if row >= 0 else self.header
        if self.room is Room.FIXED or cell_len(text) <= width:
            return text
        if row < 0 or self.room is Room.FLEXIBLE:
            return cut_end(text, width)
        return cut_middle(text, width, keep=self.keep[row] if self.keep else 0)

    def style(self, row: int) -> str:
        """Return the style of the header (row -1) or of a row."""
        if row < 0:
            return "bold"
        return self.styles if isinstance(self.styles, str) else self.styles[row]


def table(columns: Sequence[Column], *, width: int, headers: bool = True) -> Text:
    """Return a table of equally long columns. Fixed columns may be wider than the console."""
    gap = _gap(width)
    widths = _widths(columns, width - len(gap) * (len(columns) - 1))
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    rows = len(columns[0].cells) if columns else 0
    for row in range(-1 if headers else 0, rows):
        line = [
            (padded(column.cell(row, size), size, right=column.right), column.style(row))
            for column, size in zip(columns, widths, strict=True)
        ]
        while len(line) > 1 and line[-1][0].isspace():
            line.pop()
        line[-1] = (line[-1][0].rstrip(), line[-1][1])
        for position, (text, style) in enumerate(line):
            if style:
                spans.append(Span(length, length + len(text), style))
            end = gap if position < len(line) - 1 else "\n"
            parts += (text, end)
            length += len(text) + len(end)
    return Text("".join(parts[:-1]), spans=spans, no_wrap=True)


def least_width(columns: Sequence[Column], width: int, *, whole_names: bool = False) -> int:
    """Return the width that a table needs, its gaps as in a console of `width` columns.

    Every column is as narrow as it can be, but names are whole if `whole_names`.
    """
    needed = sum(
        column.wanted
        if column.room is Room.FIXED or (whole_names and column.room is Room.NAME)
        else min(column.wanted, column.room.least)
        for column in columns
    )
    return needed + len(_gap(width)) * (len(columns) - 1)


def _gap(width: int) -> str:
    return "  " if width >= WIDE else " "


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Share the width: names are not cut while another column has more than its least."""
    widths = [column.wanted for column in columns]
    for room in (Room.FLEXIBLE, Room.ID, Room.NAME):
        if (over := sum(widths) - width) <= 0:
            break
        group = [n for n, column in enumerate(columns) if column.room is room]
        wanted = [widths[n] for n in group]
        shares = shared(wanted, sum(wanted) - over, least=room.least)
        for n, share in zip(group, shares, strict=True):
            widths[n] = share
    return widths


def shared(wanted: Sequence[int], room: int, *, least: int) -> list[int]:
    """Share the room: narrow columns get their full width first, and each at least `least`."""
    shares = list(wanted)
    left = max(room, 0)
    by_size = sorted(range(len(wanted)), key=wanted.__getitem__)
    for position, column in enumerate(by_size):
        share = left // (len(wanted) - position)
        shares[column] = min(wanted[column], max(share, least))
        left = max(0, left - shares[column])
    return shares
