"""Every mix of the papers trains with the right gradients, or is refused before anything is built.

That docs/mixing.md says the same is watched by tests/test_docs.py: test_generated_regions_are_fresh.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.build import build_dataset
from ebmkit.errors import CapabilityError
from ebmkit.plugins.host import host
from ebmkit.rng import stream
from ebmkit.training.optim import Optimisers
from ebmkit.training.parts import Parts
from ebmkit.training.step import train_step

PLUGINS = {"clel", "improved-cd", "diffusion", "recovery"}
INSTALLED = {plugin.name for plugin in host().plugins if not plugin.error}
pytestmark = pytest.mark.skipif(not INSTALLED >= PLUGINS, reason=f"needs the plugins {', '.join(sorted(PLUGINS))}")

CORE_METRICS = ("energy_positive", "energy_negative", "gap", "chain_displacement", "chain_accept_rate")
OWNERS = {"contrastive": {"clel"}}  # a loss moves the energy, but for these


def _mixing() -> Any:
    path = Path(__file__).parent.parent / "docs" / "mixing.py"
    spec = importlib.util.spec_from_file_location("mixing", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mixing"] = module
    spec.loader.exec_module(module)
    return module


mixing = _mixing()
TRAINED = [mix for mix in mixing.MIXES if not mixing.reason(mix)]
REFUSED = [mix for mix in mixing.MIXES if mixing.reason(mix)]
FURTHER = {"jem", "energy-discrepancy"}
BESIDE = mixing.BESIDE if INSTALLED >= FURTHER else ()


def test_the_refusals_are_those_with_a_reason() -> None:
    assert len(mixing.MIXES) == 280 and len(REFUSED) == 64
    assert {str(mix) for mix in mixing.MIXES if mixing.verdict(mix, host())} == {str(mix) for mix in REFUSED}


def test_the_refusals_of_further_papers_are_those_with_a_reason() -> None:
    refused = {str(mix) for mix in BESIDE if mixing.verdict(mix, host())}
    assert refused == {str(mix) for mix in BESIDE if mixing.reason(mix)}
    assert all("logit-head hides it" in mixing.verdict(mix, host()) for mix in BESIDE if mixing.reason(mix))


@pytest.mark.parametrize("mix", REFUSED, ids=str)
def test_a_refusal_says_what_to_change(mix: Any) -> None:
    with pytest.raises(CapabilityError) as refused:
        mix.resolved(host())
    message = str(refused.value)
    assert "w_ent" in message and "buffer replay" in message


@pytest.mark.parametrize("mix", [*TRAINED, *(mix for mix in BESIDE if not mixing.reason(mix))], ids=str)
def test_a_mix_trains_and_every_loss_moves_its_owner_alone(mix: Any) -> None:
    recipe = mix.resolved(host())
    dataset = build_dataset(recipe.part("data"), "cpu")
    assembly = assemble(recipe, dataset=dataset)
    parts, owners = assembly.parts, assembly.parts.owners()
    optimisers = Optimisers(owners, {name: assembly.recipe.owner(name) for name in owners}, 3)
    tuning: Any = {}
    for step in (1, 2, 3):
        batch = dataset.batch(torch.arange(8) + 8 * (step - 1), stream(0, step, "data"))

        def update(losses: dict[str, Tensor], step: int = step) -> None:
            if step == 3:
                _check_ownership(parts, losses)
            optimisers.update(losses, step)

        report = train_step(parts, batch, step, tuning, update)
        tuning = report.tuning
        finite = {name: bool(torch.isfinite(value)) for name, value in report.metrics.items()}
        assert all(finite.values()), finite
        assert not parts.requires.negatives or finite.keys() >= {*CORE_METRICS}
    assert {name.split(".")[0] for name in report.losses} == set(parts.objectives)


def _check_ownership(parts: Parts, losses: dict[str, Tensor]) -> None:
    for name, loss in losses.items():
        if not loss.requires_grad:  # an entropy that is off until the buffer is filled
            continue
        expected = OWNERS.get(name.split(".")[1], {"energy"})
        for owner, module in parts.owners().items():
            parameters = [p for p in module.parameters() if p.requires_grad]
            found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            moved = any(g is not None and bool(g.abs().sum() > 0) for g in found)
            assert moved == (owner in expected), f"{name} and {owner}"
            assert all(g is None or bool(torch.isfinite(g).all()) for g in found), f"{name} and {owner}"
