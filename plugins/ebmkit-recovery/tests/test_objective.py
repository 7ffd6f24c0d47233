"""The recovery likelihood is at rest where every level has its marginal law; with wrong chains it is not."""

import pytest
import torch
from ebmkit_recovery.declarations import ANCHOR, LEVEL
from ebmkit_recovery.langevin import step_sizes
from recovery_gaussian import LADDER, T, context, exact, lifted, marginal, posterior
from torch import nn

import ebmkit
from ebmkit import Batch, BuildContext, CapabilityError, Phases, build

N = 240_000


class Quadratic(nn.Module):
    """E(y, t) = k_t‖y − m_t‖²/2, at first that of the data."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.tensor([0.0, *(marginal(t)[0] for t in range(1, T + 1))]))
        self.k = nn.Parameter(torch.tensor([0.0, *(1 / marginal(t)[1] for t in range(1, T + 1))]))

    def forward(self, point):
        level = point.aux[LEVEL]
        return self.k[level] * (point.x - self.m[level, None]).square().sum(dim=1) / 2


def recovered(point, widen=1.0, seed=1):
    """Returns exact draws of y given the anchor, or of a law with another σ."""
    rng, x = torch.Generator().manual_seed(seed), torch.zeros_like(point.x)
    for t in range(1, T + 1):
        rows = point.aux[LEVEL] == t
        sd, (mean, variance) = LADDER.sds[t] * widen, marginal(t)
        precision = 1 / variance + 1 / sd**2
        centre = (mean / variance + point.aux[ANCHOR][rows] / sd**2) / precision
        x[rows] = centre + precision**-0.5 * torch.randn(centre.shape, generator=rng)
    return point.replace(x=x)


def pulls(energy, negative, positive, **settings):
    """Returns the gradients in m [T] and k [T], and the loss."""
    objective = build("objective", "diffusion-recovery", context=context(), **settings)
    shown = Phases(energy=energy, batch=Batch(x=positive.x), positive=positive, negative=negative)
    loss = objective.losses(energy, shown)["gap"]
    m, k = torch.autograd.grad(loss, [energy.m, energy.k])
    return m[1:], k[1:], float(loss.detach())


def test_nothing_pulls_at_the_marginal_laws():
    positive, energy = lifted(N), Quadratic()
    m, k, _ = pulls(energy, recovered(positive), positive)
    precision = energy.k[1:].detach()
    assert float((m / precision.sqrt()).abs().max()) < 0.006 and float((k * precision).abs().max()) < 0.006


def test_a_wrong_sigma_in_the_chains_pulls():
    positive = lifted(N)
    _, k, _ = pulls(Quadratic(), recovered(positive, widen=0.5), positive)
    assert float(k.abs().max()) > 0.01


def test_what_is_wrong_at_one_level_is_pulled_back_there():
    positive, energy = lifted(N), Quadratic()
    negative = recovered(positive)
    with torch.no_grad():
        energy.k[3] *= 4  # and the chains know it: their law is that of this energy
    rows = positive.aux[LEVEL] == 3
    sd, (mean, variance) = LADDER.sds[3], marginal(3)
    precision = 4 / variance + 1 / sd**2
    centre = (4 * mean / variance + positive.aux[ANCHOR][rows] / sd**2) / precision
    negative.x[rows] = centre + precision**-0.5 * torch.randn(centre.shape, generator=torch.Generator().manual_seed(2))
    _, k, _ = pulls(energy, negative, positive)
    assert float(k[2]) > 0.01 and float(k[[0, 1, 3, 4, 5]].abs().max()) < 0.006


def test_levels_weigh_as_published():
    positive = lifted(2_000)
    negative = positive.replace(x=positive.x + 1)
    level = positive.aux[LEVEL]
    energy = Quadratic()
    rise = (energy(positive) - energy(negative)).detach()
    weights = torch.tensor([0.0, *(LADDER.sds[1] / LADDER.sds[t] for t in range(1, T + 1))])[level]
    found = [pulls(energy, negative, positive, **how)[2] for how in ({}, {"levels": "equal"}, {"weight": 3.0})]
    assert found[0] == pytest.approx(float((weights * rise).mean()), rel=1e-4)
    assert found[1] == pytest.approx(float(rise.mean()), rel=1e-4) and found[1] != pytest.approx(found[0], rel=0.05)
    assert found[2] == pytest.approx(3 * found[0], rel=1e-5)


def test_chains_start_at_the_anchor_and_reach_the_posterior():
    positive = lifted(12_000)
    buffer = build("buffer", "anchored", context=context())
    _, start = buffer.draw(positive, torch.Generator(), frozenset(positive.aux))
    assert torch.equal(start.x, positive.aux[ANCHOR]) and torch.equal(start.aux[LEVEL], positive.aux[LEVEL])
    mala = build("sampler", "mala", context=context(), moves=60, step_size_per=LEVEL)
    steps = torch.tensor([1.0, *(posterior(t, 0.0)[1] ** 0.5 for t in range(1, T + 1))])
    first = mala.init(start, torch.Generator().manual_seed(0), {"step_size": steps})
    state, _ = mala.step(ebmkit.view(exact()), first)
    for t in range(1, T + 1):
        rows = positive.aux[LEVEL] == t
        mean, variance = posterior(t, positive.aux[ANCHOR][rows])
        left = state.point.x[rows] - mean
        assert abs(float(left.mean())) < 0.03 and float(left.var()) == pytest.approx(variance, rel=0.06)


def test_published_steps_go_with_the_noise():
    steps = step_sizes(LADDER, 0.01414)
    assert steps[1] == pytest.approx(2e-4**0.5 * LADDER.sds[1], rel=1e-3)
    assert steps[3] ** 2 == pytest.approx(2e-4 * LADDER.sds[3] ** 2 * LADDER.totals[2] / 0.01, rel=1e-3)


def test_without_a_ladder_it_is_refused():
    for kind, name in (("objective", "diffusion-recovery"), ("buffer", "anchored"), ("coordinate", "anchor")):
        with pytest.raises(CapabilityError, match="recovery-level"):
            build(kind, name, context=BuildContext())
