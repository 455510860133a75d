"""Changes to config.toml that keep its comments, its order and its layout.

A change edits lines. The result is parsed and compared with what it should be: a layout that this
module cannot change is an error, and the file is not changed.
"""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from adksess.cli.config import ConfigError, parse_config

_HEADER = re.compile(r"\s*\[")
_DEFAULT = re.compile(r"(?P<key>\s*default\s*=\s*)(?:\"[^\"]*\"|'[^']*')(?P<rest>\s*(?:#.*)?)")


def add_server(path: Path, name: str, values: dict[str, str | bool]) -> None:
    """Add `[servers.NAME]` at the end of the file, which is created if missing."""

    def edit(lines: list[str]) -> list[str]:
        table = [f"[servers.{name}]", *(f"{key} = {_toml(v)}" for key, v in values.items())]
        return [*lines, *([""] if lines and lines[-1].strip() else []), *table]

    def expected(data: dict[str, Any]) -> dict[str, Any]:
        return data | {"servers": data.get("servers", {}) | {name: values}}

    _change(path, edit, expected)


def set_default(path: Path, name: str) -> None:
    """Write `default = "NAME"`, in place of an existing one or before the first table."""

    def edit(lines: list[str]) -> list[str]:
        top = _end_of_top_level(lines)
        for number, line in enumerate(lines[:top]):
            if found := _DEFAULT.fullmatch(line):
                replaced = f"{found['key']}{_toml(name)}{found['rest']}"
                return [*lines[:number], replaced, *lines[number + 1 :]]
        start = _comments_before(lines, top)
        separator = [""] if lines[start:] else []
        return [*lines[:start], f"default = {_toml(name)}", *separator, *lines[start:]]

    _change(path, edit, lambda data: data | {"default": name})


def remove_server(path: Path, name: str) -> None:
    """Remove `[servers.NAME]`, and `default` if it names that server."""
    header = re.compile(rf"\s*\[\s*servers\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*\]\s*(#.*)?")

    def edit(lines: list[str]) -> list[str]:
        start = next((n for n, line in enumerate(lines) if header.fullmatch(line)), None)
        if start is None:
            return lines
        following = (n for n in range(start + 1, len(lines)) if _HEADER.match(lines[n]))
        end = next(following, None)
        end = len(lines) if end is None else _comments_before(lines, end)
        kept = [*lines[:start], *lines[end:]]
        while kept and not kept[-1].strip():
            kept.pop()
        top = _end_of_top_level(kept)
        return [
            line
            for number, line in enumerate(kept)
            if number >= top or not (_DEFAULT.fullmatch(line) and _default_of(line) == name)
        ]

    def expected(data: dict[str, Any]) -> dict[str, Any]:
        servers = {key: value for key, value in data.get("servers", {}).items() if key != name}
        rest = {key: v for key, v in data.items() if key != "default" or v != name}
        return rest | {"servers": servers}

    _change(path, edit, expected)


def _change(path: Path, edit: Any, expected: Any) -> None:
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    new = "\n".join([*edit(text.splitlines()), ""])
    wanted = expected(tomllib.loads(text))
    try:
        result = tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        result = {}
    if _without_empty(result) != _without_empty(wanted):
        raise ConfigError(
            f"{path} has a layout that adksess cannot change. Edit it with a text editor; it was "
            "not changed."
        )
    parse_config(path, new)
    _write(path, new)


def _write(path: Path, text: str) -> None:
    """Replace the file atomically. Only the owner can read a new file; a symlink is kept."""
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".config.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(mode)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise ConfigError(f"Cannot write {path}: {exc.strerror}.") from exc


def _end_of_top_level(lines: list[str]) -> int:
    """The number of the first table header, or of lines."""
    return next((n for n, line in enumerate(lines) if _HEADER.match(line)), len(lines))


def _comments_before(lines: list[str], header: int) -> int:
    """The first line of the comment that belongs to a table: directly above its header."""
    while header > 0 and lines[header - 1].lstrip().startswith("#"):
        header -= 1
    return header


def _default_of(line: str) -> str:
    import tomllib

    return str(tomllib.loads(line)["default"])


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value != {}}


def _toml(value: str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A JSON string is a TOML string, except that TOML does not allow DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
