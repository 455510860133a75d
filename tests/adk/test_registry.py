"""adksess in ADK's service registry, and what doctor finds out about services files."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.adk.cli.service_registry import get_service_registry

from adksess import RedisSessionService, register_services
from adksess.adk.registry import inspect_services, look_up
from adksess.store.settings import SCHEMES

URI = "redis://localhost:6379/0?ttl=7d"
OURS = "adksess.adk.service.RedisSessionService"
OTHER = (
    "from google.adk.cli.service_registry import get_service_registry\n"
    "from google.adk.sessions import InMemorySessionService\n"
    "def factory(uri, **kwargs): return InMemorySessionService()\n"
    "get_service_registry().register_session_service('redis', factory)\n"
)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    register_services()
    yield
    register_services()


@pytest.mark.parametrize(
    ("scheme", "rest"),
    [
        ("redis", "localhost"),
        ("rediss", "localhost"),
        ("unix", "/run/redis.sock"),
        ("valkey", "localhost"),
        ("redis+cluster", "localhost:7000"),
        ("rediss+cluster", "localhost:7000"),
        ("redis+sentinel", "a:26379,b:26379/main"),
    ],
)
def test_every_scheme_leads_to_our_service(scheme: str, rest: str) -> None:
    assert scheme in SCHEMES
    service = get_service_registry().create_session_service(
        f"{scheme}://{rest}", agents_dir="/agents"
    )
    assert isinstance(service, RedisSessionService)


def test_session_db_kwargs_reach_the_service_and_agents_dir_does_not_matter() -> None:
    service = get_service_registry().create_session_service(URI, agents_dir="/a", ttl=60)
    assert isinstance(service, RedisSessionService)


def test_registering_needs_no_session_machinery() -> None:
    code = (
        "import sys\n"
        "from adksess import register_services\n"
        "register_services()\n"
        "register_services()\n"
        "print(*sys.modules, sep='\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "google.adk.cli.service_registry" in modules
    assert not modules & {"google.adk.runners", "adksess.adk.service", "redis", "fastapi"}


def test_look_up_names_the_class_or_the_reason() -> None:
    assert look_up(URI).is_ours
    assert look_up("memory://").class_name.endswith(".InMemorySessionService")
    assert not look_up("memory://").is_ours
    assert look_up("nosuch://:secret@host").error == "no factory is registered for this kind of URL"

    def broken(uri: str, **_: object) -> None:
        raise RuntimeError(uri)

    get_service_registry().register_session_service("nosuch", broken)
    assert look_up("nosuch://:secret@host").error == "its factory raises RuntimeError"


def test_a_folder_without_services_files(tmp_path: Path) -> None:
    report = inspect_services(tmp_path, URI)
    assert (report.files, report.problems) == ((), ())
    assert report.registered.is_ours


def test_a_services_file_that_registers_another_service_is_found(tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text(OTHER)
    report = inspect_services(tmp_path, URI)
    assert report.files == ("services.py",)
    assert not report.problems
    assert report.registered.class_name.endswith(".InMemorySessionService")
    assert look_up(URI).is_ours, "our registration is back"


def test_our_class_registered_from_yaml(tmp_path: Path) -> None:
    (tmp_path / "services.yaml").write_text(
        f"services:\n  - scheme: redis\n    type: session\n    class: {OURS}\n"
    )
    report = inspect_services(tmp_path, URI)
    assert not report.problems
    assert report.registered.is_ours


def test_a_missing_import_inside_services_is_named(tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text("import no_such_package\n")
    [problem] = inspect_services(tmp_path, URI).problems
    assert "ADK skips services.py: it imports no_such_package, which is not installed" in problem


def test_a_services_package_that_hides_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "services.py").write_text(OTHER)
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").write_text("")
    report = inspect_services(tmp_path, URI)
    [problem] = report.problems
    assert "never loaded" in problem
    assert str(tmp_path / "services" / "__init__.py") in problem
    assert report.registered.is_ours


def test_what_adk_logs_about_a_broken_file_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "services.py").write_text("raise ValueError('broken on purpose')\n")
    with caplog.at_level(logging.WARNING):
        [problem] = inspect_services(tmp_path, URI).problems
    assert "broken on purpose" in problem
    assert not caplog.records, "reported once, by doctor"


def test_folders_do_not_affect_each_other(tmp_path: Path) -> None:
    path = list(sys.path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "services.py").write_text(f"import no_such_{name}\n")
        [problem] = inspect_services(tmp_path / name, URI).problems
        assert f"no_such_{name}" in problem
    assert sys.path == path
    assert "services" not in sys.modules
