"""What is closed at the end of an `async with` block."""

from types import TracebackType
from typing import Self


class Closing:
    """Mixin: `async with` calls `aclose()` at its end."""

    async def aclose(self) -> None:
        """Close the running event loop's connections. A later call opens new ones."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
