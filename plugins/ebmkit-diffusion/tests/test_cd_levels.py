"""Laws of contrastive divergence with the level of the negatives summed out."""

import pytest
import torch
from ebmkit_diffusion.cd_levels import expected_energy
from torch import nn

from ebmkit import BuildContext, CapabilityError, Point
from ebmkit.assembly.build import build
from ebmkit.point import Batch
from ebmkit.protocols.objective import Phases
from ebmkit.samplers.gibbs import gibbs_draw

N = 40_000


class Joint(nn.Module):
    """(x − m_t)²/2v_t + b_t on three levels, with parameters m, log v and b."""

    abilities = frozenset({"energy", "levels.level"})

    def __init__(self):
        super().__init__()
        self.centre = nn.Parameter(torch.tensor([-1.0, 0.0, 1.5]))
        self.log_variance = nn.Parameter(torch.tensor([-0.5, 0.3, 0.0]))
        self.offset = nn.Parameter(torch.tensor([0.0, 0.4, -0.2]))

    def levels(self, point):
        squares = (point.x - self.centre).square()
        return squares / (2 * self.log_variance.exp()) + self.log_variance / 2 + self.offset

    def evaluate(self, point, *abilities):
        levels = self.levels(point)
        own = levels.gather(1, point.aux["level"][:, None])[:, 0]
        return {name: {"levels.level": levels, "energy": own}[name] for name in abilities}

    def forward(self, point):
        return self.evaluate(point, "energy")["energy"]


def gradients(losses, energy):
    """Returns the gradient [N, 9] of each row's energy in all parameters."""
    rows = []
    for parameter in energy.parameters():
        rows.append(
            torch.stack([torch.autograd.grad(losses[i], parameter, retain_graph=True)[0] for i in range(len(losses))])
        )
    return torch.cat(rows, dim=1)


def test_the_gradient_is_the_conditional_mean_of_that_of_a_drawn_level():
    """Given x, over all values of t with their probabilities: exactly."""
    energy = Joint().double()
    x = torch.tensor([[0.3], [-2.0]], dtype=torch.float64)
    levels = energy.levels(Point(x=x))
    chance = torch.softmax(-levels.detach() / 1.3, dim=1)
    summed = gradients(expected_energy(levels, 1.3), energy)
    drawn = torch.stack([gradients(levels[:, t], energy) for t in range(3)])
    assert torch.allclose(summed, torch.einsum("bt,tbp->bp", chance, drawn))


def test_over_the_exact_joint_it_is_unbiased_and_varies_less():
    energy, rng = Joint().double(), torch.Generator().manual_seed(0)
    weights = torch.softmax(-energy.offset.detach(), dim=0)
    level = torch.multinomial(weights, N, replacement=True, generator=rng)
    spread = (energy.log_variance.detach() / 2).exp()[level]
    x = energy.centre.detach()[level] + spread * torch.randn(N, generator=rng, dtype=torch.float64)
    levels = energy.levels(Point(x=x[:, None]))
    drawn_level, _ = gibbs_draw(levels.detach(), torch.rand(N, generator=rng), 1.0)  # as the last part of a transition
    per_level = torch.stack([_closed_form(energy, x, t) for t in range(3)])
    drawn = per_level[drawn_level, torch.arange(N)]
    summed = torch.einsum("nt,tnp->np", torch.softmax(-levels.detach(), dim=1), per_level)
    difference = drawn - summed
    z = difference.mean(dim=0) / (difference.std(dim=0) / N**0.5).clamp(min=1e-12)
    assert z.abs().max() < 4.5, "the same expectation"
    assert (summed.var(dim=0) < 0.95 * drawn.var(dim=0)).all(), "less variance in every parameter"


def _closed_form(energy, x, t):
    """Returns the gradient [N, 9] of E(x, t)."""
    centre, variance = energy.centre.detach()[t], energy.log_variance.detach().exp()[t]
    rows = torch.zeros(len(x), 9, dtype=x.dtype)
    rows[:, t] = -(x - centre) / variance
    rows[:, 3 + t] = 0.5 - (x - centre).square() / (2 * variance)
    rows[:, 6 + t] = 1
    return rows


def test_the_closed_form_is_the_gradient():
    energy, x = Joint().double(), torch.tensor([0.3, -2.0], dtype=torch.float64)
    levels = energy.levels(Point(x=x[:, None]))
    for t in range(3):
        assert torch.allclose(gradients(levels[:, t], energy), _closed_form(energy, x, t))


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
def test_it_scores_phases_with_either_wrapper(wrapper):
    context = BuildContext(event_shape=(2,))
    context = context.replace(coordinates=(build("coordinate", "level", context=context, noise_levels=3),))
    inner = build("energy", "mlp", context=context, conditioning=8 if wrapper == "level-conditioned" else 0)
    own = {"conditioning": 8} if wrapper == "level-conditioned" else {}
    energy = build("wrapper", wrapper, context=context.replace(inner=inner), **own)
    objective = build("objective", "cd-levels", context=context.replace(inner=energy))
    assert objective.shared_pass == (wrapper == "level-head")
    point = Point(x=torch.randn(5, 2), aux={"level": torch.tensor([0, 1, 2, 3, 0])})
    phases = Phases(
        energy=energy, batch=Batch(x=point.x), positive=point, negative=point, abilities=objective.requires.abilities
    )
    (loss,) = objective.losses(energy, phases).values()
    exact = energy(point).mean() - expected_energy(energy.levels(point), 1.0).mean()
    assert torch.allclose(loss, exact, atol=1e-6)
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in inner.parameters())


def test_an_energy_without_levels_is_refused():
    with pytest.raises(CapabilityError, match="level-head"):
        build("objective", "cd-levels", context=BuildContext(inner=build("energy", "mlp")))
