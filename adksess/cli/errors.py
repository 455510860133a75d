"""What an error says and which exit code it has: one table, applied once, around the whole app."""

import re
from enum import IntEnum

import typer

from adksess.store.errors import (
    AdksessError,
    AmbiguousSession,
    InvalidDuration,
    InvalidName,
    InvalidURL,
    ServerUnavailable,
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
    """A command line that makes no sense. The message says what to type instead."""


# What Typer raises for a wrong option or argument. Typer has its own copy of Click since 0.27 and
# exports no name for the base class of its errors.
UsageError = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")

# In a URL that was typed where none belongs, and so is quoted by an error.
_PASSWORD = re.compile(r"(\w[\w+]*:/{1,2}[^\s:@/]*:)[^\s@]+@")

# The first match counts, so a subclass stands before its base.
EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (UsageProblem, ExitCode.USAGE),
    (InvalidURL, ExitCode.USAGE),
    (InvalidDuration, ExitCode.USAGE),
    (InvalidName, ExitCode.USAGE),
    (AmbiguousSession, ExitCode.USAGE),
    (SessionNotFound, ExitCode.NOT_FOUND),
    (ServerUnavailable, ExitCode.UNREACHABLE),
    (AdksessError, ExitCode.FAILED),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)

KNOWN = tuple(kind for kind, _ in EXIT_CODES)


def exit_code_of(exc: BaseException) -> ExitCode:
    """The exit code of a known error, FAILED of any other."""
    return next((code for kind, code in EXIT_CODES if isinstance(exc, kind)), ExitCode.FAILED)


def fail(exc: BaseException) -> ExitCode:
    """Print `error: sentence` on stderr and return the exit code. Silent for Ctrl-C."""
    if not isinstance(exc, KeyboardInterrupt):
        from adksess.cli.render.console import message, stderr

        stderr().print(message("error", _PASSWORD.sub(r"\1***@", _sentence(exc))))
    return exit_code_of(exc)


def _sentence(exc: BaseException) -> str:
    if not isinstance(exc, UsageError):
        return str(exc)
    command = exc.ctx.command_path if exc.ctx else "adksess"  # type: ignore[attr-defined]
    message = exc.format_message()  # type: ignore[attr-defined]
    return f"{message.rstrip('.')}. See {command} --help."
