"""`adksess completion`: shell completion, as scripts of our own.

Typer's scripts pass the candidates to the shell's `eval`, and a session id may hold any text.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from adksess.cli.command import command

_NO_CANDIDATES = 10
"""Exit code for "complete file names instead"; the scripts know it."""


class Shell(StrEnum):
    """The shells that completion is written for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@command(
    "adksess completion bash > ~/.local/share/bash-completion/completions/adksess",
    'adksess completion zsh > "${fpath[1]}/_adksess"',
    "adksess completion fish > ~/.config/fish/completions/adksess.fish",
)
def completion(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    complete: Annotated[bool, typer.Option("--complete", hidden=True)] = False,
) -> None:
    """Print the completion script of a shell.

    It completes commands, options, session ids, apps and users.
    """
    if not complete:
        from importlib.resources import files

        script = files("adksess.cli") / "shell" / f"adksess.{shell.value}"
        sys.stdout.write(script.read_text(encoding="utf-8"))
        return
    root = ctx.find_root()
    assert isinstance(root.command, TyperGroup)
    found: list[tuple[str, str]] = []
    with suppress(Exception):  # never print an error into a half-typed command line
        found = list(_candidates(root, words or [""]))
    if not found:
        raise typer.Exit(_NO_CANDIDATES)
    for word, text in found:
        sys.stdout.write(f"{word}\t{text}\n" if text else f"{word}\n")


def _candidates(root: Any, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield candidates for the last of the words, each with a description.

    `words` are those after `adksess`. The descriptions hold nothing stored.
    """
    *before, word = words
    group: Any = root.command
    position = next((n for n, item in enumerate(before) if not item.startswith("-")), None)
    if position is None:
        yield from _options(group, root, word)
        for name in group.list_commands(root):
            yield from _starting(word, [(name, _first_line(group.get_command(root, name).help))])
        return
    _, found, _ = group.resolve_command(root, [before[position]])
    args = before[position + 1 :]
    if found is None:
        return
    with found.make_context(
        before[position], list(args), parent=root, resilient_parsing=True
    ) as ctx:
        yield from _in_command(found, ctx, args, word)


def _in_command(
    found: Any, ctx: typer.Context, args: Sequence[str], word: str
) -> Iterator[tuple[str, str]]:
    by_name = {name: param for param in found.get_params(ctx) for name in param.opts}
    name, equals, value = word.partition("=")
    if equals and name in by_name:
        for item in by_name[name].shell_complete(ctx, value):
            yield f"{name}={item.value}", ""
        return
    before = by_name.get(args[-1]) if args and args[-1].startswith("-") else None
    if before is not None and not getattr(before, "is_flag", False) and "--" not in args:
        param = before
    elif word.startswith("-") and "--" not in args:
        yield from _options(found, ctx, word)
        return
    else:
        arguments = (p for p in found.params if p.param_type_name == "argument")
        param = next((p for p in arguments if p.nargs == -1 or not _is_given(ctx, p)), None)
    if param is not None:
        for item in param.shell_complete(ctx, word):
            yield from _starting(word, [(item.value, "")])


def _is_given(ctx: typer.Context, param: Any) -> bool:
    source = ctx.get_parameter_source(param.name)
    return source is not None and source.name == "COMMANDLINE"


def _options(found: Any, ctx: typer.Context, word: str) -> Iterator[tuple[str, str]]:
    if word.startswith("-"):
        for param in found.get_params(ctx):
            if not getattr(param, "hidden", False) and param.param_type_name == "option":
                for name in (*param.opts, *param.secondary_opts):
                    yield from _starting(word, [(name, _first_line(param.help))])


def _starting(word: str, found: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return (item for item in found if item[0].startswith(word))


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
