"""Each command block of the README runs and prints what stands there; the pictures are current."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from adksess.cli.app import app
from tests.readme.blocks import masked, runs
from tests.readme.pictures import ASSETS, PICTURES
from tests.readme.scene import README, fill, picture, run
from tests.servers import running, valkey_binary

TEXT = README.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("readme")
    with running(valkey_binary(), folder, appendonly="yes") as server:
        fill(server.url)
        yield server.url


@pytest.mark.timeout(120)
def test_console_blocks_print_what_stands_there(url: str) -> None:
    found = list(runs(TEXT))
    assert len(found) > 8
    for one in found:
        assert masked(run(one.command, url)) == masked(one.output), one.command


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_current(name: str, url: str) -> None:
    fill(url)
    now, then = picture(PICTURES[name], url), (ASSETS / name).read_text(encoding="utf-8")
    assert _texts(now) == _texts(then), "run python -m tests.readme"


def _texts(svg: str) -> str:
    """What a picture says. Where its words stand differs with the width of a duration."""
    words = [word.replace("&#160;", " ") for word in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    return re.sub(r"\s+", " ", masked(" ".join(words)))


def test_python_blocks_are_those_of_the_examples() -> None:
    folder = README.parent / "tests" / "examples"
    examples = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) > 2
    for block in blocks:
        assert any(block.strip() in example for example in examples), block


def test_shell_blocks_name_what_there_is() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        for command in filter(None, (one.partition("#")[0].strip() for one in line.splitlines())):
            words = shlex.split(command)
            if words[0] == "make":
                assert f"\n{words[1]}:" in makefile, command
            elif words[0] == "adksess":
                one = group.get_command(context, words[1])  # type: ignore[attr-defined]
                one.make_context(words[1], words[2:])  # refuses an option that is not there
            else:
                assert words[0] in ("pip", "export"), command


def test_every_command_is_explained() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        assert group.get_command(context, name).help, name  # type: ignore[attr-defined]
        assert f"adksess {name}" in TEXT, f"the README does not mention adksess {name}"


def test_links_inside_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").strip().lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(#([^)]*)\)", TEXT):
        assert target in headings, target
    for target in re.findall(r"\]\((?!#|http)([^)]*)\)", TEXT):
        assert (README.parent / Path(target)).exists(), target
