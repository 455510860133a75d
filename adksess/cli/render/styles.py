"""Colors of the output, readable on a black and on a white background.

Each has a contrast of 3.8 or more against both (WCAG's formula), which the 16 basic colors do not
have: yellow on white has 1.1, blue on black 2.2. Terminals with fewer colors show the nearest.
"""

ID = "color(31)"
MUTED = "color(243)"
GOOD = "color(28)"
WARNING = "color(130)"
ERROR = "color(160)"
ACCENT = "color(133)"
