"""How a stranger's code is imported, and what is said of it when that fails. Imports no torch."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

from ebmkit.errors import EbmkitError, PluginError
from ebmkit.plugins.component import Component


def load_build(component: Component) -> Callable[..., object]:
    """Returns the callable that builds a part.

    Raises:
        PluginError: its module or name cannot be imported, or is not callable.
    """
    module_name, _, attribute = component.build.partition(":")
    try:
        found: object = getattr(importlib.import_module(module_name), attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's import may raise anything, SystemExit(0) too
        raise PluginError(
            f"{component.kind} '{component.name}' cannot be built: {component.build}: {describe(error)}"
        ) from error
    if not callable(found):
        raise PluginError(f"{component.kind} '{component.name}' cannot be built: {component.build} is not callable.")
    return found


def import_file(path: Path) -> ModuleType:
    """Imports a Python file under a name of its own; nothing of it stays where it fails.

    Raises:
        PluginError: there is no such file, or it is not one of Python.
    """
    if not path.is_file():
        raise PluginError("there is no such file")
    name = _free_name(f"ebmkit_plugin_file_{path.stem}", path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError("a plugin file is a Python file, NAME.py")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
        raise
    return module


def _free_name(base: str, path: Path) -> str:
    """Returns a module name that no other file has, so that two files of one name are two modules."""
    name, count = base, 1
    while name in sys.modules and getattr(sys.modules[name], "__file__", "") != str(path):
        count += 1
        name = f"{base}_{count}"
    return name


def distribution_of(entry: EntryPoint) -> str:
    """Returns name and version of the distribution that declares an entry point, as far as it tells them."""
    try:
        return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    except Exception:  # its metadata are damaged
        return entry.value


def describe(error: BaseException) -> str:
    """Returns what an error says; its type too, where it is not one of ours."""
    text = str(error).strip()
    if isinstance(error, EbmkitError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
