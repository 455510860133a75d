"""Regenerate the outputs and pictures of all pages: python -m tests.readme"""

import tempfile
from pathlib import Path

from tests.readme.blocks import rewrite
from tests.readme.pages import PAGES
from tests.readme.pictures import ASSETS, PICTURES, is_current
from tests.readme.scene import Scene
from tests.servers import running, valkey_binary


def main() -> None:
    """Run every documented command on a server of its own, and write what it printed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(valkey_binary(), Path(folder), appendonly="yes") as server,
        Scene(server.url) as scene,
    ):
        ASSETS.mkdir(parents=True, exist_ok=True)
        scene.reset()
        for name, commands in PICTURES.items():
            file, picture = ASSETS / name, scene.picture(commands)
            if not (file.exists() and is_current(file.read_text(encoding="utf-8"), picture)):
                file.write_text(picture, encoding="utf-8")
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            page.write_text(rewrite(text, scene.reset, scene.run), encoding="utf-8")


if __name__ == "__main__":
    main()
