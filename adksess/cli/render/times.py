"""Times for people, in the local time zone or in UTC."""

from datetime import UTC, datetime


def moment(time: str | float, *, utc: bool = False) -> datetime:
    """Return a time in ISO 8601 or Unix seconds as local time, or in UTC.

    A number out of range is shown as 1970.
    """
    try:
        found = (
            datetime.fromisoformat(time)
            if isinstance(time, str)
            else datetime.fromtimestamp(time, UTC)
        )
        return found.astimezone(UTC if utc else None)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC).astimezone(UTC if utc else None)


def clock_time(time: str | float, *, utc: bool = False) -> str:
    """Return `2026-11-25 19:57`, without a zone: the header names it."""
    return f"{moment(time, utc=utc):%Y-%m-%d %H:%M}"


def zone(*, utc: bool = False) -> str:
    """Return the name of the time zone that times are shown in: `UTC`, `CET`, `+03`."""
    return "UTC" if utc else datetime.now().astimezone().tzname() or "local"
