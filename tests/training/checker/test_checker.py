"""Laws of the checker: it changes no number, keeps nothing, costs little, and never stops a run that would go on."""

from __future__ import annotations

import gc
import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ebmkit import Point
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.energies.mlp import Mlp
from ebmkit.errors import PluginError
from ebmkit.plugins.host import host
from ebmkit.runs.checkpoints.state import TrainingState
from ebmkit.training.batches import Batches
from ebmkit.training.checker.checker import Checker
from ebmkit.training.checker.labels import Labels
from ebmkit.training.parts import Parts
from ebmkit.training.step import train_step
from ebmkit.views.view import view

RUN = {"steps": 3, "batch_size": 8, "engine": "eager", "chunk": 0}
FASHION = {"use": "fashion-mini", "limit": 32}
RESNET = {"use": "resnet", "widths": [4, 4], "hidden": 8, "features": 8}
SGLD = {"use": "sgld", "moves": 2}
REPLAY = {"use": "replay", "capacity": 24}

RECIPES: dict[str, dict[str, Any]] = {
    "2-D": {"data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]}, "sampler": {"use": "mala", "moves": 2}},
    "labels": {
        "data": {"use": "toy", "density": "moons"},
        "coordinate": {"use": "label"},
        "sampler": [{"use": "mala", "moves": 2}, {"use": "gibbs", "window": 2}],
        "objective": [{"use": "cd"}, {"use": "energy-l2", "alpha": 0.01}],
    },
    "tempering": {"data": {"use": "toy"}, "sampler": {"use": "tempering", "n_temperatures": 3}},
    "fresh chains": {"data": {"use": "toy"}, "sampler": {"use": "nuts"}, "buffer": {"use": "none"}},
    "bits": {
        "data": {"use": "toy-discrete"},
        "energy": {"use": "mlp", "widths": [8]},
        "sampler": {"use": "gibbs-with-gradients"},
    },
    "images": {"data": FASHION, "energy": RESNET, "sampler": SGLD, "buffer": REPLAY},
    "bytes in bf16": {
        "data": FASHION,
        "energy": RESNET,
        "sampler": SGLD,
        "buffer": {**REPLAY, "storage": "uint8", "reinit": 0.5},
        "run": {**RUN, "train_precision": "bf16"},
    },
}

SMALL_CLEL = {"use": "clel", "width": 4}
SMALL_CD = {"use": "improved-cd", "reference": 8, "fill": 0}
OF_PLUGINS: dict[str, dict[str, Any]] = {
    "improved-cd": {
        "data": FASHION, "energy": RESNET, "sampler": SGLD, "buffer": {**REPLAY, "use": "reservoir"},
        "objective": SMALL_CD,
    },
    "clel": {"data": FASHION, "energy": RESNET, "sampler": SGLD, "buffer": REPLAY, "objective": SMALL_CLEL},
    "energy-discrepancy": {
        "data": FASHION, "energy": {"use": "mlp", "widths": [16]},
        "objective": {"use": "energy-discrepancy", "n_perturbed": 2},
    },
    "jem": {"data": FASHION, "energy": RESNET, "sampler": SGLD, "buffer": REPLAY, "objective": {"use": "jem"}},
    "diffusion": {
        "data": FASHION, "energy": {"use": "mlp", "widths": [16], "features": 8}, "buffer": REPLAY,
        "coordinate": {"use": "level", "noise_levels": 2}, "sampler": {"use": "mgms", "moves": 2},
    },
}  # fmt: skip
INSTALLED = {plugin.name for plugin in host().plugins if not plugin.error}
EVERY = {**RECIPES, **{name: recipe for name, recipe in OF_PLUGINS.items() if name in INSTALLED}}


def streams() -> list[Any]:
    """Returns where the global random streams stand, comparable."""
    return [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()]


def numbers(asked: Mapping[str, Any], checked: int) -> dict[str, Any]:
    """Returns every number that three steps of a run leave, bit for bit."""
    recipe = complete({"run": RUN, **asked}).recipe.with_table("run", checked_steps=checked)
    assembly = assemble(recipe)
    parts, state, found = assembly.parts, TrainingState(assembly.parts, assembly.recipe), dict[str, Any]()
    batches = Batches(assembly.dataset, batch_size=8, seed=0, device=parts.device)  # type: ignore[arg-type]
    for step in (1, 2, 3):

        def update(losses: Mapping[str, Tensor], step: int = step) -> None:
            found.update({f"{step} {k}": v for k, v in state.optimisers.update(losses, step).items()})

        report = train_step(parts, batches.batch(step), step, state.tuning, update)
        state.tuning = report.tuning
        found.update({f"{step} {k}": v for k, v in {**report.losses, **report.metrics}.items()})
    for name, module in parts.owners().items():
        found.update({f"{name} {k}": v for k, v in module.state_dict().items()})
        found[f"{name} modes"] = torch.tensor([m.training for m in module.modules()])
    found.update(parts.buffer.state_dict() if parts.buffer is not None else {})
    return {k: v.tolist() for k, v in found.items()} | {"tuning": repr(state.tuning), "streams": streams()}


@pytest.mark.parametrize("name", EVERY)
def test_no_number_of_a_run_depends_on_it(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ebmkit.training.checker")
    torch.manual_seed(3)
    before = streams()
    without, with_it = numbers(EVERY[name], 0), numbers(EVERY[name], 3)
    assert repr(with_it) == repr(without), [k for k in without if repr(without[k]) != repr(with_it[k])]
    assert with_it["streams"] == before
    assert "not rehearsed" not in caplog.text


def made(checked: int = 3, **asked: Any) -> tuple[Parts, Batches]:
    recipe = {"data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]}, "sampler": SGLD, "run": RUN, **asked}
    assembly = assemble(complete(recipe).recipe.with_table("run", checked_steps=checked))
    assert assembly.dataset is not None
    size = assembly.recipe.table("run").batch_size
    return assembly.parts, Batches(assembly.dataset, batch_size=size, seed=0, device=assembly.parts.device)


def test_it_looks_at_the_first_steps_that_it_sees() -> None:
    parts, batches = made(2)
    assert isinstance(parts.checker, Checker) and parts.checker.left == 2
    for step, left in ((7, 1), (8, 0), (9, 0)):
        train_step(parts, batches.batch(step), step, {}, lambda losses: None)
        assert parts.checker.left == left


def test_nothing_is_kept_in_memory() -> None:
    parts, batches = made(9)
    assert parts.checker is not None
    batch = batches.batch(1)
    parts.checker(parts, batch, 1, {})
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        parts.checker(parts, batch, 1, {})
        gc.collect()
        assert tensors() == before
    finally:
        gc.enable()


def tensors() -> int:
    return sum(1 for held in gc.get_objects() if issubclass(type(held), Tensor))


def test_it_costs_less_than_ten_steps_of_the_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below one per cent of 1,000 steps: counted in rows at which the network is asked, chains included."""
    asked: list[int] = []
    plain = Mlp.features
    monkeypatch.setattr(Mlp, "features", lambda self, p: (asked.append(len(p)), plain(self, p))[1])
    parts, batches = made(3, sampler={"use": "sgld", "moves": 10}, run={**RUN, "batch_size": 64})
    rows = []
    for checker in (None, parts.checker):
        asked.clear()
        for step in (1, 2, 3):
            train_step(replace(parts, checker=checker), batches.batch(step), step, {}, lambda losses: None)
        rows.append(sum(asked))
    assert rows[1] > rows[0] and rows[1] - rows[0] < 10 * rows[0] / 3


class Unique:
    """A sampler that cannot be copied."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.traits = inner, inner.traits
        self.init, self.step = inner.init, inner.step

    def __deepcopy__(self, memo: object) -> Any:
        raise TypeError("there is one of me")


def test_what_cannot_be_copied_is_not_rehearsed_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "ebmkit.training.checker")
    parts, batches = made(1)
    report = train_step(replace(parts, sampler=Unique(parts.sampler)), batches.batch(1), 1, {}, lambda losses: None)
    assert report.step == 1 and "step 1 was not rehearsed: TypeError: there is one of me" in caplog.text


def test_a_large_buffer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.training.checker.copies.LARGEST", 10)
    parts, batches = made(1)
    assert parts.buffer is not None
    monkeypatch.setattr(type(parts.buffer), "draw", lambda *a: pytest.fail("it was drawn from"))
    assert parts.checker is not None
    parts.checker(parts, batches.batch(1), 1, {})


def test_the_wrapper_or_the_energy_inside_is_named() -> None:
    class Column(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, point: Point) -> Tensor:
            return self.inner(point)[:, None]  # type: ignore[no-any-return]

    parts, batches = made(1)
    labels = Labels(stages=("Energy 'inside'", "Wrapper 'around'"))
    inside, around = Column(parts.energy), Column(parts.energy)
    for energy, stages, guilty in (
        (around, [parts.energy], "Wrapper 'around'"),
        (torch.nn.Sequential(inside), [inside], "Energy 'inside'"),
    ):
        checker = Checker(1, None, labels, stages)
        with pytest.raises(PluginError, match=f"^{guilty} returned shape"):
            checker(replace(parts, energy=energy, view=view(energy)), batches.batch(1), 1, {})
