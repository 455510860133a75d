"""The pictures of the README, each a run of commands."""

from pathlib import Path

ASSETS = Path(__file__).parents[2] / ".github" / "assets"

PICTURES = {
    "list.svg": ["adksess list", "adksess doctor"],
    "show.svg": ["adksess show 8e42"],
}
