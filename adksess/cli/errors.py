"""Exit codes and messages of errors: one table, applied once, around the whole app."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import typer

from adksess.store.errors import (
    AdksessError,
    AmbiguousSession,
    InvalidDuration,
    InvalidName,
    InvalidURL,
    ServerUnavailable,
    ServerUnreachable,
    SessionNotFound,
)


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


class UsageProblem(AdksessError):
    """A command line that cannot be run. The message says what to type instead."""


class Declined(AdksessError):
    """The answer to a question was no, or none. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__("Nothing was changed.")


class Interrupted(Declined):
    """The answer to a question was Ctrl-C. Nothing was changed."""


# What Typer raises for a wrong option or argument. Typer has its own copy of Click since 0.27 and
# exports no name for the base class of its errors.
UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")

# A URL in an unexpected place is quoted by the error about it. The example URL of our own errors
# stays readable.
_PASSWORD = re.compile(r"(\w[\w+]*:/{1,2}[^\s:@/]*:)(?!password@host)[^\s@]+@")

# The first match counts, so a subclass comes before its base.
EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (UsageProblem, ExitCode.USAGE),
    (InvalidURL, ExitCode.USAGE),
    (InvalidDuration, ExitCode.USAGE),
    (InvalidName, ExitCode.USAGE),
    (AmbiguousSession, ExitCode.USAGE),
    (SessionNotFound, ExitCode.NOT_FOUND),
    (ServerUnavailable, ExitCode.UNREACHABLE),
    (Interrupted, ExitCode.INTERRUPTED),
    (AdksessError, ExitCode.FAILED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)

KNOWN = tuple(kind for kind, _ in EXIT_CODES)


# Messages for the errors of Pydantic, with which Typer parses values.
_WRONG_VALUES = {
    "int_parsing": "{input!r} is not a whole number",
    "float_parsing": "{input!r} is not a number",
    "greater_than_equal": "{input} is less than {ge}",
    "less_than_equal": "{input} is more than {le}",
}


@contextmanager
def naming(ctx: typer.Context) -> Iterator[None]:
    """Add the command to errors of the parser, so that their messages can name its help."""
    try:
        yield
    except UsageError as exc:
        exc.ctx = exc.ctx or ctx
        names = any(
            param.param_type_name == "argument" and getattr(param, "metavar", None) == "ID"
            for param in ctx.command.params
        )
        if names and type(exc).__name__ == "NoSuchOption" and not exc.possibilities:
            exc.message += " (before an id that begins with a dash, write -- or app/user/)"
        raise


_debugs = False


@contextmanager
def debugging() -> Iterator[None]:
    """Show tracebacks of errors, and the commands that are sent to Redis, on stderr."""
    import logging

    from adksess.cli.render.console import stderr
    from adksess.cli.render.styles import MUTED
    from adksess.cli.render.text import safe_text
    from adksess.store import command_log

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = f"redis: {record.getMessage()}"
            stderr().print(safe_text(text), style=MUTED, markup=False, soft_wrap=True)

    global _debugs
    handler, level = Handler(), command_log.logger.level
    command_log.logger.addHandler(handler)
    command_log.logger.setLevel(logging.DEBUG)
    _debugs = True
    try:
        yield
    finally:
        _debugs = False
        command_log.logger.setLevel(level)
        command_log.logger.removeHandler(handler)


def exit_code_of(exc: BaseException) -> ExitCode:
    """Return the exit code of a known error, FAILED for any other."""
    return next((code for kind, code in EXIT_CODES if isinstance(exc, kind)), ExitCode.FAILED)


def fail(exc: BaseException) -> ExitCode:
    """Print `error: sentence` on stderr and return the exit code. Silent for Ctrl-C."""
    from adksess.cli.render.console import message, stderr
    from adksess.cli.render.streams import OutputClosed
    from adksess.cli.render.text import safe_text

    if _debugs:
        import traceback

        from adksess.cli.render.styles import MUTED

        lines = "".join(traceback.format_exception(exc)).rstrip()
        text = safe_text(_PASSWORD.sub(r"\1***@", lines), multiline=True)
        stderr().print(text, style=MUTED, markup=False, soft_wrap=True)
    if isinstance(exc, Declined):
        stderr().print(str(exc))
    elif not isinstance(exc, KeyboardInterrupt | OutputClosed):
        stderr().print(message("error", _PASSWORD.sub(r"\1***@", _sentence(exc))))
    return exit_code_of(exc)


def _sentence(exc: BaseException) -> str:
    if isinstance(exc, ServerUnreachable) and exc.is_local:
        return (
            f"{exc.problem}: start Redis there, name another with --redis-url, or try "
            "adksess serve --demo --embedded, which starts one."
        )
    if not isinstance(exc, UsageError):
        return str(exc)
    command = exc.ctx.command_path if exc.ctx else "adksess"
    if details := getattr(exc.__cause__, "errors", None):
        exc.message = _wrong_value(details()[0])
    # Typer puts each choice of a missing argument on a line of its own
    text: str = re.sub(r"\s*\n\s*", " ", exc.format_message()).rstrip(".")
    return f"{text}{'' if text.endswith('?') else '.'} See {command} --help."


def _wrong_value(error: dict[str, Any]) -> str:
    """Return a sentence for an error of Pydantic about a value."""
    words = _WRONG_VALUES.get(error["type"])
    if words is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return words.format(input=error["input"], **error.get("ctx", {}))
