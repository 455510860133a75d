"""README.md and the pages in .github: what they show is what adksess does."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from adksess.cli.app import app
from adksess.store.store import SessionStore
from tests.readme import pages
from tests.readme.blocks import blocks, masked
from tests.readme.pages import COMMANDS, PAGES, README, ROOT
from tests.readme.pictures import ASSETS, PICTURES, is_current
from tests.readme.scene import Scene
from tests.servers import running, valkey_binary

GROUP: Any = typer.main.get_command(app)
CONTEXT = typer.Context(GROUP)
NAMES = GROUP.list_commands(CONTEXT)
PROGRAMS = {
    *("adksess", "adk", "make", "pip", "python", "python3", "git", "export", "cd", "."),
    *("redis-server", "redis-cli", "docker"),
}
PAGES_WITH_RUNS = [page for page in PAGES if blocks(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("readme")
    with (
        running(valkey_binary(), folder, appendonly="yes") as server,
        Scene(server.url) as scene,
    ):
        yield scene


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES_WITH_RUNS, ids=pages.name)
def test_console_blocks_print_what_the_page_shows(scene: Scene, page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        scene.reset()
        for run in block:
            printed = masked(scene.run(run.command))
            assert printed == masked(run.output), f"{run.command}: run python -m tests.readme"


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_current(name: str, scene: Scene) -> None:
    scene.reset()
    stored = (ASSETS / name).read_text(encoding="utf-8")
    assert is_current(stored, scene.picture(PICTURES[name])), "run python -m tests.readme"


def test_python_blocks_are_whole_examples() -> None:
    """So that they run when copied; tests/examples runs them."""
    examples = {
        _code(path.read_text(encoding="utf-8")): path.name
        for path in (ROOT / "tests" / "examples").glob("[!_]*.py")
    }
    shown = {block.strip() for page in PAGES for block in pages.code_blocks(page, "python")}
    assert len(shown) > 2
    for block in shown:
        assert block in examples, block


def _code(text: str) -> str:
    """An example without its leading docstring and comments."""
    first = ast.parse(text).body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines = text.splitlines()[first.end_lineno or 0 :]
    else:
        lines = text.splitlines()[first.lineno - 1 :]
    return "\n".join(lines).strip()


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_shell_blocks_name_existing_commands_and_options(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for block in pages.code_blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for words in _commands(line):
                if words[0] == "make":
                    assert f"\n{words[1]}:" in makefile, line
                elif words[0] == "adksess":
                    _parse(words[1:])
                else:
                    assert words[0] in PROGRAMS, line


def _commands(line: str) -> Iterator[list[str]]:
    """The commands of a shell line, without comments and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words: list[str] = []
    target = False
    for word in [*lexer, ";"]:
        if target:
            target = False
        elif word in ("<", ">", ">>"):
            target = True
        elif set(word) <= set("|;&"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def _parse(words: list[str]) -> None:
    """Fail if `adksess WORDS` is not a command with options that exist."""
    name, *rest = [word for word in words if word != "--no-color"]
    if name.startswith("--"):
        assert any(name in parameter.opts for parameter in GROUP.params), name
    else:
        _command(name).make_context(name, rest)


def _command(name: str) -> Any:
    """The command with its options; fails if there is none of this name."""
    return GROUP.resolve_command(CONTEXT, [name])[1]


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_commands_in_the_text_have_existing_names_and_options(page: Path) -> None:
    for command in pages.inline_commands(page):
        words = shlex.split(command.partition(" | ")[0])[1:]
        names = [word for word in words[:1] if re.fullmatch(r"[a-z_]+", word)]
        known = {option for one in (GROUP, *map(_command, names)) for option in _options(one)}
        for word in words[len(names) :]:
            if re.match(r"--?[a-z]", word) and names not in (["adk"], ["serve"]):
                assert word.partition("=")[0] in known, command


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts, "--help")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_a_place_in_the_documentation(name: str) -> None:
    assert _command(name).help
    assert f"`adksess {name}" in README.read_text(encoding="utf-8")
    assert name in pages.sections(COMMANDS, 3), f"commands.md has no section ### {name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_documented(name: str) -> None:
    """In the command's own section of commands.md, or among the options that commands share."""
    shared = pages.sections(COMMANDS, 2)["Options that commands share"]
    text = pages.sections(COMMANDS, 3)[name] + shared
    for parameter in _command(name).params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option != "--help" and not parameter.hidden:
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{name} {option}"


@pytest.mark.parametrize(
    "command",
    [
        "list -o json",
        "list -o ndjson",
        "show 8e42 -o json",
        "stats -o json",
        "ttl 8e42 -o json",
        "doctor -o json",
        "export",
    ],
)
def test_json_fields_are_those_of_the_tables(scene: Scene, command: str) -> None:
    scene.reset()
    section = pages.sections(COMMANDS, 3)[command.split()[0]]
    documented = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`([\w.]+)`", row)
    }
    printed = scene.run(f"adksess {command} 2>/dev/null")
    values = (
        [json.loads(line) for line in printed.splitlines()]
        if command.endswith(("ndjson", "export"))
        else [json.loads(printed)]
    )
    for value in values:
        for field in _fields(value):
            assert field in documented, f"{command}: {field} is in no table of its section"


def _fields(value: Any) -> Iterator[str]:
    """The names of an output's objects, down to what is stored: documents, events and states."""
    if isinstance(value, list):
        for item in value:
            yield from _fields(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            if name not in ("document", "events", "state", "arguments"):
                yield from _fields(item)


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_links_lead_to_existing_files_and_headings(page: Path) -> None:
    for target in pages.links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in pages.anchors(file), target


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {
        (README.parent / target.partition("#")[0]).resolve() for target in pages.links(README)
    }
    assert set(PAGES) - {README} <= linked


def test_ci_runs_the_documented_test_command() -> None:
    assert "make test\n" in pages.code_blocks(README, "sh")
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_library_page_names_existing_methods_and_modules() -> None:
    sections = pages.sections(pages.GITHUB / "docs" / "library.md", 2)
    rows = re.findall(r"^\| (`.*?) \|", sections["SessionStore"], re.MULTILINE)
    methods = re.findall(r"`(\w+)\(", " ".join(rows))
    assert len(methods) > 10
    for method in methods:
        assert hasattr(SessionStore, method), method
    places = re.findall(
        r"`(adksess\.\w+\.\w+)(?:\.(\w+))?", sections["Operations on top of the store"]
    )
    for module, name in places:
        assert not name or hasattr(import_module(module), name), f"{module}.{name}"
