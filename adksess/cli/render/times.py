"""Times for people, in the local time zone or in UTC."""

from datetime import UTC, datetime

_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def moment(time: str | float, *, utc: bool = False) -> datetime:
    """Return a time in ISO 8601 or Unix seconds as local time, or in UTC.

    A number out of range is shown as the first or the last time there is, text that is not a time
    as 1970. In UTC too if the local time would be before the year 1 or after 9999.
    """
    try:
        found = datetime.fromisoformat(time) if isinstance(time, str) else utc_time(time)
    except ValueError:
        found = utc_time(0)
    try:
        return found.astimezone(UTC if utc else None)
    except (ValueError, OverflowError, OSError):
        return found


def utc_time(seconds: float) -> datetime:
    """Return Unix seconds in UTC, of a number out of range the first or the last time there is."""
    return datetime.fromtimestamp(min(max(seconds, _FIRST_SECOND), _LAST_SECOND), UTC)


def clock_time(time: str | float, *, utc: bool = False) -> str:
    """Return `2026-11-25 19:57`, without a zone: the header names it."""
    return f"{moment(time, utc=utc):%Y-%m-%d %H:%M}"


def zone(*, utc: bool = False) -> str:
    """Return the name of the time zone that times are shown in: `UTC`, `CET`, `+03`."""
    return "UTC" if utc else datetime.now().astimezone().tzname() or "local"
