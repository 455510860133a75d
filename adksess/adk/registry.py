"""adksess in ADK's service registry: registering there, and finding out what is registered."""

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.adk.cli.service_registry import get_service_registry, load_services_module

from adksess.store.settings import SCHEMES

if TYPE_CHECKING:
    from google.adk.sessions import BaseSessionService

_OURS = "adksess.adk.service.RedisSessionService"
_YAML = ("services.yaml", "services.yml")
_FILES = ("services.py", *_YAML)


def register_services() -> None:
    """Register RedisSessionService for every Redis URL scheme in ADK's service registry.

    Call it before ADK's CLI or `get_fast_api_app` starts: by the time an agent's module is
    loaded, ADK has chosen its session service. Calling it again changes nothing.
    """
    registry = get_service_registry()
    for scheme in SCHEMES:
        registry.register_session_service(scheme, _create_session_service)


def _create_session_service(uri: str, **kwargs: Any) -> "BaseSessionService":
    # ADK adds agents_dir to the session_db_kwargs of its caller; it means nothing to Redis.
    kwargs.pop("agents_dir", None)
    # Imported here: ADK's session machinery takes a second that registering need not wait for.
    from adksess.adk.service import RedisSessionService

    return RedisSessionService(uri, **kwargs)


@dataclass(frozen=True)
class Registered:
    """What ADK's registry makes of a URI: a class by its full name, or nothing, and why."""

    class_name: str | None
    error: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether sessions at this URI go through adksess."""
        return self.class_name == _OURS


def look_up(uri: str) -> Registered:
    """Ask ADK's registry for the session service at `uri`, as `adk web` does."""
    try:
        service = get_service_registry().create_session_service(uri, agents_dir=".")
    except Exception as exc:  # a factory is somebody's code, and whatever it raises is the finding
        # Only the type: the message of an unknown factory may repeat the URI and its password.
        return Registered(None, f"its factory raises {type(exc).__name__}")
    if service is None:
        return Registered(None, "no factory is registered for this kind of URL")
    kind = type(service)
    return Registered(f"{kind.__module__}.{kind.__qualname__}")


@dataclass(frozen=True)
class ServicesReport:
    """What a folder's services.py and services.yaml did to the registry, once loaded.

    `problems` are sentences about files that ADK loads in part or not at all, most of them in
    silence. `registered` is what the URI leads to after loading.
    """

    folder: Path
    files: tuple[str, ...]
    problems: tuple[str, ...]
    registered: Registered


def has_services(folder: Path) -> bool:
    """Whether there is anything in the folder that ADK would load services from."""
    return any((folder / name).exists() for name in (*_FILES, "services/__init__.py"))


def inspect_services(folder: Path, uri: str, *, register_first: bool = True) -> ServicesReport:
    """Load a folder's service files the way ADK does, and report what came of it.

    With `register_first` as `adksess serve` would find it, without as plain `adk web` would.
    Runs the folder's own code. Leaves the registration of adksess in place.
    """
    files = tuple(name for name in _FILES if (folder / name).is_file())
    if register_first:
        register_services()
    with _fresh_services_module(), _captured_warnings() as warnings:
        load_services_module(str(folder))
        problems = [*warnings, *_silent_failures(folder)]
        registered = look_up(uri)
    register_services()
    return ServicesReport(folder, files, tuple(problems), registered)


def _silent_failures(folder: Path) -> Iterator[str]:
    """The two ways in which ADK 2.13 skips a services.py without a word."""
    if not (folder / "services.py").is_file():
        return
    module = sys.modules.get("services")
    if module is None:
        try:
            importlib.import_module("services")
        except ModuleNotFoundError as exc:
            yield f"services.py is skipped by ADK: it imports {exc.name}, which is not installed."
        except Exception:  # noqa: S110 - ADK logs this one itself
            pass
    elif getattr(module, "__file__", None) and Path(str(module.__file__)).parent != folder:
        yield (
            f"services.py is never loaded: Python finds {module.__file__} first. "
            "Rename or remove that package."
        )


@contextmanager
def _fresh_services_module() -> Iterator[None]:
    """ADK imports every folder's file as `services`: forget the last one before and after."""
    path = list(sys.path)
    _forget_services_module()
    try:
        yield
    finally:
        _forget_services_module()
        sys.path[:] = path


def _forget_services_module() -> None:
    for name in [n for n in sys.modules if n == "services" or n.startswith("services.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


@contextmanager
def _captured_warnings() -> Iterator[list[str]]:
    """What ADK's registry logs at WARNING and above, as complete sentences."""
    logger = logging.getLogger("google_adk.google.adk.cli.service_registry")
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(f"ADK says: {record.getMessage()}.")  # type: ignore[method-assign]
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
