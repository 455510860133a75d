"""How a command is declared: its examples, its groups of options, its class for Typer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from adksess.cli.errors import UsageProblem, naming


def with_plain_types(params: list[Any]) -> list[Any]:
    """Return the parameters without types of Python in their help, such as `<list[str]>`."""
    for param in params:
        if isinstance(param.show_default, str):
            _show_default_without_parentheses(param)
        if param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: ""  # the name says the type
            if param.hidden:
                param.get_usage_pieces = lambda ctx: []
        elif getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.metavar is None and _annotation(param) is int:
            param.metavar = "N"
    return params


def _show_default_without_parentheses(param: Any) -> None:
    """Print `[default: 1d]` for a described default; Typer prints `[default: (1d)]`."""
    text = param.show_default
    param._get_default_string = lambda **_: text


def _annotation(param: Any) -> Any:
    """The type that Typer reads a parameter as, None where Typer does not say."""
    return getattr(getattr(param, "type_descriptor", None), "annotation", None)


class StoreCommand(TyperCommand):
    """A command that rejects an option given twice, where only the last one would count."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        return with_plain_types(super().get_params(ctx))

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        with naming(ctx):
            if not ctx.resilient_parsing:
                self._reject_repeated(ctx, args)
            return super().parse_args(ctx, args)

    def _reject_repeated(self, ctx: typer.Context, args: list[str]) -> None:
        *_, given = self.make_parser(ctx).parse_args(list(args))
        seen: set[str] = set()
        for option in given:
            if option.param_type_name != "option" or getattr(option, "multiple", False):
                continue
            # a plain flag given twice means the same as given once
            if getattr(option, "is_flag", False) and not option.secondary_opts:
                continue
            if option.name in seen:
                name = max(option.opts, key=len)
                raise UsageProblem(
                    f"{name} is given twice, and takes one value: leave one of them out. "
                    f"See {ctx.command_path} --help."
                )
            seen.add(str(option.name))


@dataclass(frozen=True)
class Command:
    """A function that is a command, with its examples and what Typer needs.

    A parameter whose type is a dataclass is a group of options: each field of the dataclass becomes
    an option, and the function gets the dataclass.
    """

    function: Callable[..., None]
    examples: tuple[str, ...] = ()
    kind: type[TyperCommand] = StoreCommand
    context_settings: dict[str, Any] = field(default_factory=dict)

    def build(self, name: str, panel: str) -> Any:
        """Return the command as Typer runs it."""
        alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
        examples = "\n".join(["Examples:", *(f"  {line}" for line in self.examples)])
        alone.command(
            name,
            cls=self.kind,
            rich_help_panel=panel,
            epilog=examples,
            context_settings=self.context_settings,
        )(_with_groups(self.function))
        return typer.main.get_command(alone)


def command(
    *examples: str, kind: type[TyperCommand] = StoreCommand, **context_settings: Any
) -> Callable[[Callable[..., None]], Command]:
    """Declare the function of a module in `adksess.cli.commands` as its command."""
    return lambda function: Command(function, examples, kind, context_settings)


def _with_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function with every group of options replaced by its fields."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    def parameters() -> Iterator[Parameter]:
        for parameter in signature(function).parameters.values():
            if parameter.name in groups:
                yield from _options_of(groups[parameter.name])
            else:
                yield parameter.replace(
                    annotation=hints[parameter.name], kind=Parameter.KEYWORD_ONLY
                )

    spread = list(parameters())

    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{item.name: values.pop(item.name) for item in fields(group)})
        function(**values)

    run.__doc__, run.__module__ = _unwrapped(function.__doc__ or ""), function.__module__
    run.__annotations__ = {item.name: item.annotation for item in spread}
    run.__signature__ = Signature(spread)  # type: ignore[attr-defined]
    return run


def _unwrapped(docstring: str) -> str:
    """Return a docstring with one line per paragraph: Typer keeps the line breaks of the source."""
    return "\n\n".join(" ".join(part.split()) for part in docstring.split("\n\n"))


@cache
def _options_of(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name]
        )
        for item in fields(group)
    ]
