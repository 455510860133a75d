"""The package's layout: the direction of imports, what may import ADK, the length of modules."""

import ast
import keyword
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import typer

import adksess
from adksess.cli.app import app

PACKAGE = Path(adksess.__file__).parent
MAX_LINES = 400

# What each part may import, apart from itself. The demo's agents are a user's code: ADK alone.
ALLOWED = {
    "__main__": {"cli"},
    "__init__": {"adk", "store"},
    "cli": {"", "adk", "transfer", "conversation", "store", "embedded", "demo"},
    "adk": {"", "transfer", "conversation", "store"},
    "transfer": {"", "conversation", "store"},
    "conversation": {"", "store"},
    "store": {""},
    "embedded": {"store"},
    "demo": set[str](),
}

# Modules of cli/commands that are no command, but what several commands share.
SHARED = {"deletion"}


@dataclass(frozen=True)
class Import:
    """One imported module, and whether only type checkers see the import."""

    target: str
    for_types: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def part_of(module: str) -> str:
    """The folder or file directly in the package; "" for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def imports(module: str) -> Iterator[Import]:
    """All imports of a module, also those in functions and under TYPE_CHECKING."""
    tree = ast.parse(MODULES[module].read_text())
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test).endswith("TYPE_CHECKING")
        for statement in branch.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, id(node) in for_types)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = MODULES[module].stem == "__init__"
                package = module.split(".")[: None if is_package else -1]
                kept = package[: len(package) - node.level + 1]
                base = ".".join([*kept, *filter(None, [node.module])])
            for name in node.names:
                full = f"{base}.{name.name}"
                yield Import(full if full in MODULES else base, id(node) in for_types)


def own_imports(module: str) -> Iterator[Import]:
    return (one for one in imports(module) if one.target in MODULES)


def test_every_part_of_the_package_has_a_rule() -> None:
    assert {part_of(module) or "__init__" for module in MODULES} == set(ALLOWED)


def test_imports_run_from_cli_to_adk_to_transfer_to_conversation_to_store() -> None:
    """Annotations too: a lower layer does not know the types of a higher one."""
    wrong = {
        f"{module} imports {one.target}"
        for module in MODULES
        for one in own_imports(module)
        if part_of(one.target) not in ALLOWED[part_of(module) or "__init__"] | {part_of(module)}
    }
    assert wrong == set()


def test_no_import_cycles() -> None:
    """Imports in functions count: they hide a cycle, they do not remove it."""
    graph = {
        module: {one.target for one in own_imports(module) if not one.for_types} - {module}
        for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(" imports ".join(reversed(exc.args[1])))


def test_only_the_adk_package_and_the_demo_import_google_adk() -> None:
    importing = {
        part_of(module)
        for module in MODULES
        for one in imports(module)
        if one.target.startswith("google.adk") and not one.for_types
    }
    assert importing == {"adk", "demo"}


def test_no_module_is_too_long() -> None:
    paths = [*MODULES.values(), *Path(__file__).parent.rglob("*.py")]
    lengths = {str(path): len(path.read_text().splitlines()) for path in paths}
    assert {path: count for path, count in lengths.items() if count > MAX_LINES} == {}


def test_each_command_has_a_module_of_its_name_and_each_module_is_a_command() -> None:
    root = typer.main.get_command(app)
    context = typer.Context(root)
    folder = "adksess.cli.commands."
    modules = {
        module.removeprefix(folder)
        for module in MODULES
        if module.startswith(folder) and "." not in module.removeprefix(folder)
    }
    of_commands = {name + "_" * keyword.iskeyword(name) for name in root.list_commands(context)}
    assert modules - SHARED == of_commands
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        assert command.callback is not None
        module = command.callback.__module__.removeprefix(folder)
        expected = name + "_" * keyword.iskeyword(name)
        assert module == expected


def test_what_commands_share_is_used_by_several() -> None:
    for name in SHARED:
        module = f"adksess.cli.commands.{name}"
        users = {one for one in MODULES for two in own_imports(one) if two.target == module}
        assert len(users) > 1
