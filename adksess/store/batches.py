"""Split sequences into batches."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield slices of at most `size` items (itertools.batched() comes with Python 3.12)."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
