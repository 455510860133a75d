"""What a command that is stopped says about the work it has done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adksess.store.errors import ServerUnavailable
from adksess.store.store import SessionStore
from tests.conftest import Run

WARNING = "warning: Stopped after 1 session: repeat the command for the rest.\n"
STOPS = [(KeyboardInterrupt(), 130), (ServerUnavailable("Redis is away."), 4)]


def _stop_second_call(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    original: Callable[..., Any] = getattr(SessionStore, name)
    calls: list[None] = []

    async def call(*args: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) > 1:
            raise error
        return await original(*args, **options)

    monkeypatch.setattr(SessionStore, name, call)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("error", "code"), STOPS)
def test_a_deletion_says_how_far_it_got(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    monkeypatch.setattr("adksess.cli.commands.deletion._BATCH", 1)
    _stop_second_call(monkeypatch, "delete", error)
    result = run("delete", "ada-first", "ada-second", "--yes")
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith(WARNING)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("error", "code"), STOPS)
def test_an_export_to_a_folder_says_how_far_it_got(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, code: int
) -> None:
    _stop_second_call(monkeypatch, "read", error)
    result = run("export", "--format", "md", "--out", f"{tmp_path}/files/")
    assert (result.code, len(list((tmp_path / "files").iterdir()))) == (code, 1)
    assert result.err.startswith(WARNING)
