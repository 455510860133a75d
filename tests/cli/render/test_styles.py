"""Colors can be read on a black and on a white background, and no others are used."""

import re
from pathlib import Path

import pytest
from rich.color import Color
from rich.style import Style

import adksess.cli
from adksess.cli.render import styles

_NAMES = ("ID", "MUTED", "GOOD", "WARNING", "ERROR", "ACCENT")
_BASIC = r'"(?:bold )?(?:dim|black|red|green|yellow|blue|magenta|cyan|white)"'


def _luminance(color: Color) -> float:
    """The relative luminance of WCAG 2."""
    parts = [value / 255 for value in color.get_truecolor()]
    red, green, blue = (
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", _NAMES)
def test_contrast_on_black_and_on_white(name: str) -> None:
    color = Style.parse(getattr(styles, name)).color
    assert color is not None
    level = _luminance(color) + 0.05
    assert level / 0.05 >= 3.8
    assert 1.05 / level >= 3.8


def test_no_other_colors_are_used() -> None:
    for path in Path(adksess.cli.__file__).parent.rglob("*.py"):
        assert not re.findall(_BASIC, path.read_text(encoding="utf-8")), path
