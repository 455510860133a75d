"""Values in a session's state by name, such as `state.cart.0.sku` or `user:plan`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adksess.store.errors import InvalidName

_STATE = "state."
_SCOPES = ("app:", "user:")


class StatePath(NamedTuple):
    """A name as it was typed, the scope of the state (`app:`, `user:` or ""), and the path."""

    name: str
    scope: str
    path: str

    @classmethod
    def parse(cls, name: str) -> "StatePath":
        """Read `state.KEY`, `user:KEY` or `app:KEY`, each followed by a dotted path.

        Raises InvalidName.
        """
        rest = name.removeprefix(_STATE)
        scope = next((s for s in _SCOPES if rest.startswith(s)), "")
        path = rest.removeprefix(scope)
        if not path or (rest == name and not scope):
            raise InvalidName(
                f"{name!r} is not of the form state.KEY, user:KEY or app:KEY, such as state.topic."
            )
        return cls(name, scope, path)

    def value(self, state: Mapping[str, Any]) -> Any:
        """Return the value in a state (keys without scope), None where there is none."""
        return _find(state, self.path)


def _find(value: Any, path: str) -> Any:
    """Look a path up. A key may hold dots itself: the longest that exists counts."""
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        end = path.rfind(".")
        while end > 0:
            if path[:end] in value:
                found = _find(value[path[:end]], path[end + 1 :])
                if found is not None:
                    return found
            end = path.rfind(".", 0, end)
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        number, _, rest = path.partition(".")
        if number.isdecimal() and int(number) < len(value):
            item = value[int(number)]
            return _find(item, rest) if rest else item
    return None
