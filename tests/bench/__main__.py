"""python -m tests.bench: measure the rows, print the table, write the results as JSON."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.bench import (  # noqa: F401
    appends,
    cluster,
    commands,
    footprint,
    million,
    reads,
    report,
    scale,
    web,
)
from tests.bench.lab import OUTPUT, ROOT, Lab, NotMeasured
from tests.bench.table import ROWS, Row

SCREEN = Console(width=None if sys.stdout.isatty() else 150)


def bench(
    only: Annotated[list[str] | None, typer.Option(help="A row to measure; repeatable.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes, fewer rounds.")] = False,
    json: Annotated[Path, typer.Option(help="Where to write the results.")] = OUTPUT
    / "results.json",
    figure: Annotated[
        bool, typer.Option("--figure", help="Draw the documentation's figure.")
    ] = False,
) -> None:
    """Measure adksess against its alternatives."""
    unknown = set(only or ()) - set(ROWS)
    if unknown:
        raise typer.BadParameter(f"no such row: {', '.join(unknown)}; rows: {', '.join(ROWS)}")
    with Lab(quick=quick) as lab:
        results = [measure(lab, row) for row in ROWS.values() if not only or row.name in only]
        if figure:
            asyncio.run(appends.append_costs(lab))
        costs = {} if only else asyncio.run(scale.costs(lab))
        sizes = {} if only else asyncio.run(scale.footprints(lab))
    SCREEN.print(report.table(results, quick=quick))
    if costs:
        SCREEN.print(report.costs(costs))
        SCREEN.print(report.footprints(sizes))
    if lab.curves:
        SCREEN.print(report.curves(lab.curves))
    report.write_json(json, results, lab.curves, costs, sizes, quick=quick)
    if figure:
        report.draw_figure(ROOT / ".github" / "assets" / "bench.svg", lab.curves)


def measure(lab: Lab, row: Row) -> report.Result:
    """Measure a row in an event loop of its own. A failure is a result too."""
    with SCREEN.status(row.work):
        try:
            return report.Result(row, asyncio.run(row.measure(lab)))
        except NotMeasured as exc:
            return report.Result(row, None, str(exc))
        except Exception as exc:
            return report.Result(row, None, f"{type(exc).__name__}: {exc}")


typer.run(bench)
