"""`adksess adk`: ADK's own command line."""

import pytest
from google.adk import version

from tests.conftest import Run


@pytest.mark.parametrize("columns", [80, 120])
def test_the_whole_output(cli: Run, columns: int) -> None:
    result = cli("adk", "--version", columns=columns)
    expected = f"adksess adk, version {version.__version__}\n"
    assert (result.code, result.out, result.err) == (0, expected, "")


def test_arguments_are_passed_on(cli: Run) -> None:
    result = cli("adk", "web", "--help")
    assert result.code == 0
    assert "Usage: adksess adk web [OPTIONS]" in result.out
    assert "--session_service_uri" in result.out
    assert cli("adk", "run", "--nope").code == 2
