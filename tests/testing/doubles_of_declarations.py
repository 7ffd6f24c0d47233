"""Declarations that break one promise each, of whatever kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ebmkit import Component, NoConfig, Selection

BUILD = "tests.testing.doubles_of_energies:build_right"


@dataclass(frozen=True, kw_only=True)
class Silent:
    """Says nothing of what it holds."""

    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Mutable:
    """Can be changed after the recipe is written down.

    Attributes:
        widths: of the layers.
    """

    widths: list[int] = field(default_factory=lambda: [8, 8])


def confused(config: Any, selection: Selection) -> Any:
    return config.width


def part(name: str, **more: Any) -> Component:
    found = {"config": NoConfig, "build": BUILD, "summary": "a double", **more}
    return Component(kind="energy", name=f"{name}-double", **found)


RIGHT: tuple[Component, ...] = ()
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("absent", build="tests.testing.doubles_of_energies:build_absent"), "imports", "has no attribute"),
    (part("gone", build="no_such_package:build"), "imports", "No module named"),
    (part("wordless", summary=" "), "documented", "its summary is empty"),
    (part("silent", config=Silent), "documented", "setting 'strength' is not in the docstring of Silent"),
    (part("mutable", config=Mutable), "defaults", "default of 'widths' is a list"),
    (part("confused", needs=confused), "answers", r"its needs\(config, selection\) failed"),
)
"""Double, the promise that it breaks, and what the message must say."""
