"""Registration in ADK's service registry, and inspection of what is registered there."""

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.adk.cli import service_registry

from adksess.store.settings import SCHEMES

if TYPE_CHECKING:
    from google.adk.sessions import BaseSessionService

_OUR_CLASS = "adksess.adk.service.RedisSessionService"
_YAML_FILES = ("services.yaml", "services.yml")
_FILES = ("services.py", *_YAML_FILES)


def register_services() -> None:
    """Register RedisSessionService for every Redis URL scheme in ADK's service registry.

    Call it before ADK's CLI or `get_fast_api_app` starts: when an agent's module is loaded, ADK
    has already chosen its session service. Calling it again changes nothing.
    """
    registry = service_registry.get_service_registry()
    for scheme in SCHEMES:
        registry.register_session_service(scheme, _create_session_service)


def _create_session_service(uri: str, **kwargs: Any) -> "BaseSessionService":
    # ADK adds agents_dir to the session_db_kwargs of its caller; Redis does not need it.
    kwargs.pop("agents_dir", None)
    # Imported here: ADK's session modules take a second, and registering does not need them.
    from adksess.adk.service import RedisSessionService

    return RedisSessionService(uri, **kwargs)


@dataclass(frozen=True)
class Registered:
    """What ADK's registry creates for a URI: a class by its full name, or None and the reason."""

    class_name: str | None
    error: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether adksess stores the sessions at this URI."""
        return self.class_name == _OUR_CLASS


def look_up(uri: str) -> Registered:
    """Create the session service for `uri` as `adk web` does, and say which class it is."""
    registry = service_registry.get_service_registry()
    try:
        service = registry.create_session_service(uri, agents_dir=".")
    except Exception as exc:  # a factory may raise anything
        # Only the type: the message of an unknown factory may repeat the URI and its password.
        return Registered(None, f"its factory raises {type(exc).__name__}")
    if service is None:
        return Registered(None, "no factory is registered for this kind of URL")
    cls = type(service)
    return Registered(f"{cls.__module__}.{cls.__qualname__}")


@dataclass(frozen=True)
class ServicesReport:
    """The effect of a folder's services.py and services.yaml on the registry.

    `problems` are sentences about files that ADK does not load completely; for most of them ADK
    prints nothing. `registered` is the class for the URI after loading.
    """

    folder: Path
    files: tuple[str, ...]
    problems: tuple[str, ...]
    registered: Registered


def has_services(folder: Path) -> bool:
    """Whether the folder has a file that ADK would load services from."""
    return any((folder / name).exists() for name in (*_FILES, "services/__init__.py"))


def inspect_services(folder: Path, uri: str, *, register_first: bool = True) -> ServicesReport:
    """Load a folder's service files as ADK does, and report the result.

    With `register_first` as `adksess serve` does, without as plain `adk web` does. Runs the
    folder's own code. Afterwards adksess is registered again.
    """
    files = tuple(name for name in _FILES if (folder / name).is_file())
    if register_first:
        register_services()
    with _fresh_services_module(), _captured_warnings() as warnings:
        problems = [*_load(folder), *_silent_failures(folder)]
        registered = look_up(uri)
    register_services()
    return ServicesReport(folder, files, (*warnings, *problems), registered)


def _load(folder: Path) -> Iterator[str]:
    """Load the service files. Yields a problem where this ADK has no function for it."""
    # Undocumented: ADK 2.13 calls it in get_fast_api_app and in `adk run`.
    load = getattr(service_registry, "load_services_module", None)
    if load is None:
        yield "this version of ADK loads service files in a way that adksess cannot check."
    else:
        load(str(folder))


def _silent_failures(folder: Path) -> Iterator[str]:
    """Find the two cases in which ADK 2.13 skips a services.py without a message."""
    if not (folder / "services.py").is_file():
        return
    module = sys.modules.get("services")
    if module is None:
        try:
            importlib.import_module("services")
        except ModuleNotFoundError as exc:
            yield f"ADK skips services.py: it imports {exc.name}, which is not installed."
        except Exception:  # noqa: S110 - ADK logs this one itself
            pass
    elif getattr(module, "__file__", None) and Path(str(module.__file__)).parent != folder:
        yield (
            f"services.py is never loaded: Python finds {module.__file__} first. "
            "Rename or remove that package."
        )


@contextmanager
def _fresh_services_module() -> Iterator[None]:
    """Forget the module `services` before and after: ADK imports every folder's file as that."""
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
    """Collect what ADK's registry logs at WARNING and above, as complete sentences."""
    # "google_adk.google.adk.cli.service_registry" in ADK 2.13
    logger = getattr(service_registry, "logger", None) or logging.getLogger(
        service_registry.__name__
    )
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(f"ADK reports: {record.getMessage()}.")  # type: ignore[method-assign]
    propagate = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
