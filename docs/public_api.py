"""Writes down the public API: every name of docs/public-names.md with its signature, and the hooks of a plugin.

    python docs/public_api.py            rewrite tests/public_api.txt
    python docs/public_api.py --check    only show what is different; exit status 1 where anything is

What stands there is what others rely on. A line that changes or goes needs what docs/releasing.md asks for.
"""

from __future__ import annotations

import difflib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import ebmkit
from ebmkit.plugins import hookspecs

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "tests" / "public_api.txt"
PACKAGES = re.compile(r"`(ebmkit\.\w+)\.\*`")
OURS = ("ebmkit.", "ebmkit_")
LONGEST = 200
"""Characters of a default that are written down."""


def described(name: str, found: object) -> Iterator[str]:
    """Yields a line for a name, and one for each public method, property and attribute of a class."""
    if inspect.isclass(found):
        yield f"class {name}{'' if _is_protocol(found) else signature_of(found)}"
        for key in sorted(key for key in vars(found) if not key.startswith("_")):
            yield from _member(f"{name}.{key}", inspect.getattr_static(found, key))
    elif inspect.isfunction(found):
        yield f"{name}{signature_of(found)}"
    else:
        yield f"{name}: {type(found).__name__}"


def signature_of(found: object) -> str:
    """Returns a signature that is the same under every Python; that of a stranger's function is not ours to promise."""
    if not str(getattr(found, "__module__", "")).startswith(OURS):
        return "(...)"
    try:
        signature = inspect.signature(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"
    plain = [
        p.replace(annotation=_text(p.annotation), default=_default(p.default)) for p in signature.parameters.values()
    ]
    returns = _text(signature.return_annotation)
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return text if returns in (None, inspect.Signature.empty) else f"{text} -> {returns}"


def of_module(module: ModuleType) -> Iterator[str]:
    """Yields the lines of the names that a module defines, or, of a package, of those that it exports."""
    exported = getattr(module, "__all__", None)
    names = exported if exported is not None else [n for n in vars(module) if not n.startswith("_")]
    for name in sorted(names):
        found = getattr(module, name)
        if exported is not None or getattr(found, "__module__", "") == module.__name__:
            yield from described(f"{module.__name__}.{name}", found)


def modules() -> Iterator[ModuleType]:
    """Yields the modules that docs/public-names.md names, by name."""
    page = (ROOT / "docs" / "public-names.md").read_text(encoding="utf-8")
    for package in sorted(set(PACKAGES.findall(page))):
        root = import_module(package)
        below = pkgutil.walk_packages(root.__path__, f"{package}.")
        names = [package, *(info.name for info in below if "._" not in info.name)]
        yield from map(import_module, sorted(names))


def lines() -> list[str]:
    """Returns the public API, a line each."""
    found = [
        f"hook {name}{signature_of(getattr(hookspecs, name))}" for name in sorted(vars(hookspecs)) if "ebmkit_" in name
    ]
    found += of_module(ebmkit)
    for module in modules():
        found += of_module(module)
    return found


def changes() -> str:
    """Returns what differs from what is written down, "" where nothing does."""
    before = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    return "\n".join(difflib.unified_diff(before, lines(), "written down", "found", lineterm="", n=0))


def _member(name: str, found: object) -> Iterator[str]:
    if isinstance(found, (staticmethod, classmethod)):
        yield f"  {name}{signature_of(found.__func__)}"
    elif isinstance(found, property):
        yield f"  {name}: property"
    elif inspect.isfunction(found):
        yield f"  {name}{signature_of(found)}"


def _is_protocol(found: type) -> bool:
    return bool(getattr(found, "_is_protocol", False))


class _Said(str):
    """Text that prints without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _text(annotation: object) -> object:
    if annotation is inspect.Parameter.empty or annotation is None:
        return annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", str(annotation))
    return None if text == "None" else _Said(text.strip("'\""))


def _default(value: object) -> object:
    if value is inspect.Parameter.empty:
        return value
    if inspect.isfunction(value) or inspect.isclass(value):
        return _Said(value.__qualname__)
    text = re.sub(r" at 0x[0-9a-f]+|\s+", lambda m: "" if "0x" in m[0] else " ", repr(value))
    return _Said(text if len(text) <= LONGEST else "…")  # what is computed may differ in its last digit


def main() -> int:
    """Rewrites the record, or shows how it differs."""
    different = changes()
    if "--check" not in sys.argv:
        RECORD.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    sys.stdout.write(f"{different}\n" if different else "as written down\n")
    return 1 if different and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
