"""Terminals of 20 and 40 columns: nothing fails, and no number is cut."""

import pytest

from tests.cli.sessions import store_session
from tests.conftest import Run

SESSION = "8e42aa01-7c1f-4c55-9d0b-3f6a1c9b2e11"
COMMANDS = ["list", "show", "stats", "ttl", "doctor", "search", "--help"]


@pytest.fixture(autouse=True)
def stored(run: Run, valkey_url: str) -> None:
    for number in range(12):
        store_session(valkey_url, "support", "ada", f"{number}", texts=("hello",) * 100)
    store_session(valkey_url, "support", "ada", SESSION, texts=("Where is my order?",))


@pytest.mark.parametrize("columns", [20, 40])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(run: Run, command: str, columns: int) -> None:
    words = {"show": [SESSION], "ttl": [SESSION], "search": ["order"]}.get(command, [])
    result = run(command, *words, columns=columns)
    assert (result.code, "Traceback" in result.out + result.err) == (0, False)
    assert 1 <= result.out.count("\n") < 350


@pytest.mark.parametrize("columns", [20, 40])
def test_numbers_and_names_are_whole(run: Run, columns: int) -> None:
    totals = run("stats", columns=columns).out.splitlines()[1].split()
    assert totals[:4] == ["support", "13", "1", "1,201"]
    row = run("ttl", SESSION, "--set", "1d", columns=columns).out.splitlines()[1].split()
    assert row[-1] in ("86400", "86399")


@pytest.mark.parametrize("columns", [20, 40])
def test_the_report_of_doctor_is_no_column_of_letters(run: Run, columns: int) -> None:
    assert run("doctor", "--quick", columns=columns).out.count("\n") < 60
