"""The rows of the results: measurement, reference and target ratio."""

import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.bench.lab import Lab


@dataclass(frozen=True)
class Target:
    """A ratio to reach: reference / subject if `faster`, otherwise subject / reference."""

    sign: str
    bound: float
    faster: bool = False
    allowance: float = 0.0

    def __str__(self) -> str:
        extra = f" + {self.allowance:.0f}" if self.allowance else ""
        return f"{self.sign} {self.bound:g}x{extra}{' faster' if self.faster else ''}"

    def ratio(self, reference: float, subject: float) -> float:
        """Return the ratio that is compared with the target."""
        return reference / subject if self.faster else subject / reference

    def is_met(self, reference: float, subject: float) -> bool:
        """Whether a measured pair reaches the target."""
        if self.sign == "≥":
            return self.ratio(reference, subject) >= self.bound
        return subject <= reference * self.bound + self.allowance


def faster(bound: float) -> Target:
    """The subject takes the reference's time divided by `bound`, or less."""
    return Target("≥", bound, faster=True)


def within(bound: float, plus: float = 0.0) -> Target:
    """The subject takes at most `bound` times as much as the reference."""
    return Target("≤", bound, allowance=plus)


def at_least(bound: float) -> Target:
    """The subject reaches at least `bound` times the reference."""
    return Target("≥", bound)


@dataclass(frozen=True)
class Pair:
    """A measurement: seconds, bytes, or calls per second.

    `against` names the reference if it is known only after the measurement.
    """

    reference: float
    subject: float
    against: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    work: str
    against: str
    target: Target
    unit: str
    measure: Callable[[Lab], Awaitable[Pair]]


ROWS: dict[str, Row] = {}


def row(
    name: str, work: str, *, against: str, target: Target, unit: str = "s"
) -> Callable[[Callable[[Lab], Awaitable[Pair]]], Callable[[Lab], Awaitable[Pair]]]:
    """Register a measurement. `unit` is s, B or /s."""

    def register(measure: Callable[[Lab], Awaitable[Pair]]) -> Callable[[Lab], Awaitable[Pair]]:
        ROWS[name] = Row(name, work, against, target, unit, measure)
        return measure

    return register


async def race(
    *contenders: Callable[[], Awaitable[Any]], rounds: int, batch: float = 0.03, most: int = 100
) -> list[float]:
    """Median seconds per call of each contender. They take turns, a batch of calls each.

    A batch is as many calls as take about `batch` seconds, and `most` at most.
    """
    calls = []
    for contender in contenders:
        await contender()
        calls.append(max(1, min(most, int(batch / await timed(contender)))))
    samples: list[list[float]] = [[] for _ in contenders]
    gc.collect()
    for _ in range(rounds):
        for contender, count, taken in zip(contenders, calls, samples, strict=True):
            taken.append(await timed(contender, count))
    return [median(taken) for taken in samples]


async def timed(contender: Callable[[], Awaitable[Any]], count: int = 1) -> float:
    """Return seconds per call. `contender.prepare(count)`, if it exists, is called before."""
    if prepare := getattr(contender, "prepare", None):
        prepare(count)
    started = time.perf_counter()
    for _ in range(count):
        await contender()
    return (time.perf_counter() - started) / count
