"""The checks of `adksess doctor` that need ADK: a probe, the versions, the registration."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from adksess.adk.probe import probe
from adksess.adk.registry import look_up, register_services
from adksess.adk.services_subprocess import ServicesCheckFailed, check_services
from adksess.cli.commands.doctor.checks import Check
from adksess.cli.runner import with_store
from adksess.store.errors import AdksessError
from adksess.store.settings import Settings


def check_probe(settings: Settings) -> Check:
    """Check whether a session can be created, appended to, read and deleted."""
    try:
        with_store(settings, probe)
    except AdksessError as exc:
        return Check("probe", "fail", str(exc), "Fix this first; ADK would hit the same error.")
    return Check("probe", "ok", "a session was created, appended to, read and deleted")


def check_versions() -> Iterator[Check]:
    """Report the installed versions."""
    for name, package in (("adksess", "adksess"), ("adk", "google-adk"), ("redis-py", "redis")):
        yield Check(name, "ok", f"{package} {version(package)}")


def check_registry(settings: Settings) -> Check:
    """Check that ADK creates our service for the URI."""
    register_services()
    found = look_up(settings.uri)
    if found.is_ours:
        return Check("registry", "ok", f"ADK creates {found.class_name} for {settings.redacted}")
    return Check(
        "registry",
        "fail",
        f"ADK does not create adksess's service for {settings.redacted}: "
        f"{found.error or found.class_name}",
        "Reinstall adksess and google-adk in the same environment.",
    )


def check_folder(agents_dir: Path, settings: Settings) -> Iterator[Check]:
    """Check how the service files of a folder and of its agents change the registry.

    `adk web` and `adk api_server` load those of the folder, `adk run` those of the agent's folder.
    """
    inner = (file.parent for file in sorted(agents_dir.glob("*/services.*")))
    for folder in dict.fromkeys([agents_dir, *inner]):
        name = f"services in {folder.name}"
        try:
            served = check_services(folder, settings.uri, register_first=True)
            plain = check_services(folder, settings.uri, register_first=False)
        except ServicesCheckFailed as exc:
            yield Check(name, "fail", str(exc), f"Fix the service files in {folder}.")
            continue
        for problem in served.problems:
            yield Check(name, "fail", problem, f"Fix it in {folder}.")
        if not served.registered.is_ours:
            found = served.registered.class_name or served.registered.error
            yield Check(
                name,
                "fail",
                f"{' and '.join(served.files)} register {found} for {settings.scheme}://, "
                "overriding adksess",
                f"Remove the registration of {settings.scheme}:// in {folder}.",
            )
        command = "adk web" if folder == agents_dir else "adk run"
        if plain.registered.is_ours:
            yield Check(name, "ok", f"plain {command} {folder.name} stores sessions in Redis too")
        elif not served.problems and served.registered.is_ours:
            yield Check(
                name,
                "warn",
                f"adksess serve stores sessions in Redis, plain {command} does not know "
                f"{settings.scheme}:// ({plain.registered.error or plain.registered.class_name})",
                f"Start the agents with adksess serve, or run adksess init {folder}.",
            )
