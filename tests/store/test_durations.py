"""Durations as people write and read them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adksess.store.durations import format_duration, parse_duration
from adksess.store.errors import InvalidDuration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7_200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
        ("1h 30m", 5_400),
        ("5min", 300),
        ("2 hours", 7_200),
        ("1 day", 86_400),
        ("3 weeks 1 second", 1_814_401),
        ("1mo", 2_592_000),
        (" 2H ", 7_200),
        ("3650d", 315_360_000),
    ],
)
def test_reading(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5h", "h", "7  d", "1y", "2 hourz", "d7", "٣", "3651d", "9" * 5_000]
)
def test_invalid_durations(text: str) -> None:
    with pytest.raises(InvalidDuration):
        parse_duration(text)


def test_a_number_needs_a_unit_except_where_it_means_seconds() -> None:
    assert parse_duration("90", bare_seconds=True) == 90
    for text in ("30", " 1 ", "0030"):
        with pytest.raises(InvalidDuration, match=f"write {int(text)}s .* or {int(text)}d"):
            parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-5, "0s"),
        (45.4, "45s"),
        (90, "1m 30s"),
        (86_340, "23h 59m"),
        (86_400, "1 day"),
        (604_800, "7 days"),
        (90_061, "1d 1h"),
    ],
)
def test_writing(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.text("0123456789wdhmso -."))
def test_any_text_is_a_number_of_seconds_or_an_error(text: str) -> None:
    with suppress(InvalidDuration):
        assert 0 <= parse_duration(text) <= 10 * 365 * 86_400
