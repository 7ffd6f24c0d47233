"""What a plugin may import: the names of docs/public-names.md, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ebmkit

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "public-names.md").read_text(encoding="utf-8")
PACKAGES = frozenset(re.findall(r"`(ebmkit\.\w+)\.\*`", PAGE))
PLUGINS = sorted([*ROOT.glob("plugins/*/src/*"), *ROOT.glob("examples/plugins/*/src/*")])
SOURCES = [
    *(source for plugin in PLUGINS for source in sorted(plugin.rglob("*.py"))),
    ROOT / "examples" / "own_idea.py",
]
FENCE = re.compile(r"^```python.*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WALK_THROUGH = "\n".join(FENCE.findall((ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")))


def imports(source: str) -> Iterator[tuple[str, str]]:
    """Yields (module, name) of every import, wherever it stands; the name is "" in `import module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


def is_public(module: str, name: str) -> bool:
    """Returns whether an import of ebmkit is one that the page allows."""
    if name.startswith("_") or "._" in module:
        return False
    if module == "ebmkit":
        return not name or name in ebmkit.__all__ or f"ebmkit.{name}" in PACKAGES
    return ".".join(module.split(".")[:2]) in PACKAGES


def foreign(source: str, *, package: str = "") -> list[tuple[str, str]]:
    """Returns the imports of a plugin's source that it may not have: private ones of core, and other plugins."""
    others = {plugin.name for plugin in PLUGINS} - {package}
    return [
        (module, name)
        for module, name in imports(source)
        if (module.split(".")[0] == "ebmkit" and not is_public(module, name)) or module.split(".")[0] in others
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_plugin_imports_public_names_only(path: Path) -> None:
    package = next((plugin.name for plugin in PLUGINS if plugin in path.parents), "")
    assert foreign(path.read_text(encoding="utf-8"), package=package) == []


def test_the_plugin_of_the_walk_through_imports_public_names_only() -> None:
    assert "ebmkit_tamed" in WALK_THROUGH
    assert foreign(WALK_THROUGH) == []


@pytest.mark.parametrize(
    "source",
    [
        "from ebmkit.protocols.energy import Energy",
        "import ebmkit.runs.checkpoints.checkpoint",
        "from ebmkit import views",
        "from ebmkit import enregy",
        "from ebmkit.samplers.mala import _half",
        "def f():\n    from ebmkit.assembly.complete import as_recipe",
        "from ebmkit_clel.losses import nt_xent",
    ],
)
def test_other_imports_are_noticed(source: str) -> None:
    assert len(foreign(source, package="ebmkit_diffusion")) == 1


def test_the_page_names_what_is_exported_and_nothing_else() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `") and "ebmkit" not in line[:10]]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(ebmkit.__all__)


def test_the_packages_that_the_page_names_exist() -> None:
    assert PACKAGES
    for package in PACKAGES:
        assert (ROOT / package.replace(".", "/") / "__init__.py").is_file(), package


def test_a_type_checker_sees_the_names_that_are_exported() -> None:
    tree = ast.parse((ROOT / "ebmkit" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    rooms = {name for name, module in seen.items() if module == "ebmkit"}
    assert rooms == set(ebmkit._ROOMS)
    homes = {name: f"ebmkit.{module}" for name, module in ebmkit._WHERE.items()}
    assert seen == homes | dict.fromkeys(rooms, "ebmkit")
