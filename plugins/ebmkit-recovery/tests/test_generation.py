"""Samples come down the ladder: with the exact energy they are the data's law; doubles end elsewhere."""

import pytest
import torch
from ebmkit_recovery import Recovery
from recovery_gaussian import MEAN, SD

import ebmkit
from ebmkit import CapabilityError, RecipeError


@pytest.fixture(scope="module")
def model():
    """A model of Gaussian data whose energy is exact: the Gaussian base, and a network that says nothing."""
    x = MEAN + SD * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    net, options = ebmkit.energies.Mlp(widths=(8,)), {"steps": 80, "batch_size": 200, "lr": 1e-9, "progress": False}
    made = ebmkit.fit(
        net, x, objective="diffusion-recovery", **options,
        wrapper=Recovery(conditioning=4, base="gaussian", base_mean=MEAN, base_sd=SD),
        sampler=ebmkit.samplers.Mala(moves=30, step_size=0.3, adapt="dual-averaging", adapt_every=1),
    )  # fmt: skip
    with torch.no_grad():
        for weight in made.energy.inner.parameters():
            weight.zero_()
    return made


def moments(x):
    return float(x.mean()), float(x.std())


def test_the_exact_energy_gives_back_the_data(model):
    made = model.sample(4000)
    assert moments(made.x) == (pytest.approx(MEAN, abs=0.03), pytest.approx(SD, rel=0.04))
    assert made.transitions == 6 and made.n_gradients == 6 * 31 and not made.notes
    assert torch.equal(made.aux["recovery-level"], torch.zeros(4000, dtype=torch.int64))


def test_doubles_end_elsewhere(model):
    """Half the σ holds chains where the noise was. (No anchor at all is no double: exact marginals need none.)"""
    right = model.energy.precisions.clone()
    try:
        model.energy.precisions.mul_(4.0)
        held = moments(model.sample(2000).x)
    finally:
        model.energy.precisions.copy_(right)
    level = model.coordinates[0]
    scales = level.scales.clone()
    try:
        level.scales.fill_(1.0)
        unscaled = moments(model.sample(2000).x)
    finally:
        level.scales.copy_(scales)
    assert held[1] > 1.2 * SD and unscaled[1] < 0.9 * SD


def test_more_transitions_are_made_at_each_level_and_visits_are_refused(model):
    assert model.sample(4, transitions=3).transitions == 18
    with pytest.raises(RecipeError, match="visits = 2 has no effect: chains come down recovery-level"):
        model.sample(4, visits=2)


def test_a_score_over_levels_is_refused():
    """x given the anchor has another score than x: what looks like a noise level is none to score matching."""
    x = torch.randn(100, 2)
    with pytest.raises(CapabilityError, match="denoising-score-matching"):
        ebmkit.fit("mlp", x, objective="diffusion-recovery+denoising-score-matching", sampler="mala", steps=1)
