"""Runs with one planted part: what a test puts into `MADE` is built in place of the part of a kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit import BuildContext
from ebmkit.plugins.host import Host
from tests.training.checker.doubles import TRAITS, Judge, component

Make = Callable[[BuildContext], Any]
MADE: dict[str, Make] = {}
"""What a test plants, by kind."""
OTHERS: list[Judge] = []
"""The objective beside a planted one."""


def build_dataset(config: object, context: BuildContext) -> Any:
    return MADE["dataset"](context)


def build_coordinate(config: object, context: BuildContext) -> Any:
    return MADE["coordinate"](context)


def build_energy(config: object, context: BuildContext) -> Any:
    return MADE["energy"](context)


def build_sampler(config: object, context: BuildContext) -> Any:
    return MADE["sampler"](context)


def build_buffer(config: object, context: BuildContext) -> Any:
    return MADE["buffer"](context)


def build_objective(config: object, context: BuildContext) -> Any:
    return MADE["objective"](context)


def build_plain(config: object, context: BuildContext) -> Any:
    OTHERS[:] = [Judge(context)]
    return OTHERS[0]


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that knows the planted parts."""
    found = Host()
    found.discover()
    for kind in ("dataset", "coordinate", "energy", "sampler", "buffer", "objective"):
        found.register(component(kind, f"{__name__}:build_{kind}"))
    found.register(component("objective", f"{__name__}:build_plain", "plain"))
    found.register(replace(component("dataset", f"{__name__}:build_dataset", "bits"), gives=("data.discrete",)))
    monkeypatch.setattr("ebmkit.plugins.host._host", found)
    MADE.clear()


def trained(out: Path, kind: str, make: Make, **asked: Any) -> Any:
    """Runs a recipe that names the planted part of a kind, all else being plain."""
    MADE[kind] = make
    recipe = {
        "data": {"use": "planted"} if kind == "dataset" else {"use": "toy", "density": "moons"},
        "energy": {"use": "mlp", "widths": [4]},
        "sampler": {"use": "sgld", "moves": 2},
        "buffer": {"use": "replay", "capacity": 16},
        "objective": {"use": "cd"},
        "run": {"steps": 3, "batch_size": 8, "temperature": 1.0, "ema_half_life": 0.0},
        "log": {"tensorboard": False},
        "pictures": {"every": 10**6},
        **asked,
    }
    if kind != "dataset":
        recipe[kind] = {"use": "planted"}
    if kind == "sampler":
        made = make(BuildContext())
        TRAITS.append(made.traits)
    return ebmkit.run(recipe, out / "run")


def also(act: Callable[..., object], result: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that does something else first."""

    def both(*arguments: Any) -> Any:
        act(*arguments)
        return result(*arguments)

    return both
