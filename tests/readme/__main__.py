"""Renew the README's outputs and pictures: python -m tests.readme"""

import tempfile
from pathlib import Path

from tests.readme.blocks import rewrite
from tests.readme.pictures import ASSETS, PICTURES
from tests.readme.scene import README, fill, picture, run
from tests.servers import running, valkey_binary


def main() -> None:
    """Run every command of the README on a server of its own, and write what it printed."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(valkey_binary(), Path(folder), appendonly="yes") as server,
    ):
        fill(server.url)
        ASSETS.mkdir(parents=True, exist_ok=True)
        for name, commands in PICTURES.items():
            (ASSETS / name).write_text(picture(commands, server.url), encoding="utf-8")
        text = README.read_text(encoding="utf-8")
        README.write_text(rewrite(text, lambda command: run(command, server.url)), encoding="utf-8")


if __name__ == "__main__":
    main()
