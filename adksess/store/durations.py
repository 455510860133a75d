"""Durations as people type and read them: 90s, 15m, 2h, 7d."""

import re

from adksess.store.errors import InvalidDuration

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NAMES = {
    604_800: ("w", "week", "weeks"),
    86_400: ("d", "day", "days"),
    3_600: ("h", "hour", "hours"),
    60: ("m", "min", "mins", "minute", "minutes"),
    1: ("s", "sec", "secs", "second", "seconds"),
    30 * 86_400: ("mo", "month", "months"),
}
_SECONDS = {name: seconds for seconds, names in _NAMES.items() for name in names}
MAX_SECONDS = 10 * 365 * 86_400
"""The longest time to live: ten years."""

_FORM = re.compile(r"(?:\d{1,12} ?[a-z]{1,7} ?)+", re.ASCII)
_PART = re.compile(r"(\d+) ?([a-z]+)", re.ASCII)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


def parse_duration(text: str, *, bare_seconds: bool = False) -> int:
    """Return the seconds of `90s`, `15m`, `2 hours`, `7d`, `2w`, `1mo` (30 days) or `1h30m`.

    0 needs no unit. A number without a unit is seconds with `bare_seconds`, else an error: 30
    may mean days. Raises InvalidDuration for anything else, and beyond ten years.
    """
    compact = text.strip().lower()
    if _NUMBER.fullmatch(compact):
        seconds = int(compact)
        if seconds and not bare_seconds:
            raise InvalidDuration(
                f"The duration {text!r} has no unit: write {seconds}s for seconds or {seconds}d "
                "for days."
            )
    else:
        parts = _PART.findall(compact) if _FORM.fullmatch(compact) else []
        if not parts or any(unit not in _SECONDS for _, unit in parts):
            raise InvalidDuration(f"{text!r} is not a duration: use 90s, 15m, 2h, 7d, 2w or 1mo.")
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > MAX_SECONDS:
        raise InvalidDuration(f"{text!r} is too long: durations are limited to ten years.")
    return seconds


def check_ttl(ttl: object) -> int:
    """Return a TTL in seconds, 0 for no expiry.

    Raises InvalidDuration, a ValueError, unless it is a whole number from 0 to ten years.
    """
    if type(ttl) is not int or not 0 <= ttl <= MAX_SECONDS:
        raise InvalidDuration(
            "A TTL must be a whole number of seconds from 0 (no expiry) to "
            f"{MAX_SECONDS:,} (ten years)."
        )
    return ttl


def short_duration(seconds: float) -> str:
    """Only the largest unit of a duration: `1d`, `23h`, `45s`."""
    left = max(0, round(seconds))
    for unit, size in _UNITS.items():
        if unit != "w" and left >= size:
            return f"{left // size}{unit}"
    return "0s"


def format_duration(seconds: float) -> str:
    """The two largest units of a duration in seconds: `1 day`, `23h 59m`, `45s`."""
    left = max(0, round(seconds))
    if left and left % 86_400 == 0:
        days = left // 86_400
        return "1 day" if days == 1 else f"{days} days"
    parts = []
    for unit, size in _UNITS.items():
        if unit != "w" and (count := left // size):
            parts.append(f"{count}{unit}")
            left -= count * size
    return " ".join(parts[:2]) or "0s"
