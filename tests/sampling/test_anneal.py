"""Laws of annealing: with exact energies of noised data it draws from the law of data, at the cost that it prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, DivergenceError, RecipeError
from ebmkit.ops.ancestral import ancestral
from ebmkit.point import Point
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling import anneal
from ebmkit.sampling.anneal import Annealing, annealing, walked_by
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model
from ebmkit.sampling.plan import Plan
from ebmkit.sampling.transitions import Moment
from tests.sampling.test_generate import ALIKE, Classes, Noise, mala, noisy_run

N = 4_000


class Known(Noise):
    """Levels whose noise is known: x = √kept·x₀ + √(1 − kept)·(standard normal)."""

    def __init__(self, kept: Tensor) -> None:
        super().__init__(len(kept))
        self.kept = kept

    def noise(self, point: Point) -> tuple[Tensor, Tensor]:
        kept = self.kept[point.aux["noise"]]
        return kept.sqrt(), (1 - kept).sqrt()

    def clean(self, point: Point) -> Point:
        return point.with_aux(noise=torch.zeros(len(point), dtype=torch.int64))


KEPT = torch.tensor([0.99, 0.9, 0.7, 0.4, 0.1])
MEAN, SD = 1.5, 0.5


class Gaussian:
    """E of N(√kept·m, kept·s² + 1 − kept), with a count of the rows whose energy was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, point: Point) -> Tensor:
        self.asked += len(point)
        kept = KEPT[point.aux["noise"]]
        return (point.x[:, 0] - kept.sqrt() * MEAN) ** 2 / (2 * variance_at(kept))


def variance_at(kept: Tensor) -> Tensor:
    return kept * SD**2 + 1 - kept


def gaussian_run(energy: Any = None) -> Model:
    return replace(noisy_run(NoSampler(), energy=energy or Gaussian()), coordinates=(Known(KEPT),))


def mixture_run() -> Model:
    run = noisy_run(NoSampler(), energy=ALIKE, sample={"method": "anneal", "batch_size": N})
    return replace(run, coordinates=(Known(ALIKE.kept),))


def check_gaussian(moves: int = 8) -> None:
    x = 2 * generate(gaussian_run(), N, method="anneal", moves=moves, seed=0).x[:, 0]
    kept, variance = KEPT[0], float(variance_at(KEPT[0]))
    assert abs(float(x.mean()) - float(kept.sqrt()) * MEAN) < 4 * (variance / N) ** 0.5
    assert abs(float(x.var()) - variance) < 5 * variance * (2 / N) ** 0.5


def check_ancestral_steps() -> None:
    """Without moves the law stays Gaussian: its variance goes by a recursion."""
    kept = KEPT.double()
    variance, mean = 1.0, 0.0  # chains start in N(0, 1)
    for j in range(len(kept) - 1, 0, -1):
        share, here = kept[j] / kept[j - 1], variance_at(kept[j])
        slope = (1 - (1 - share) / here) / share.sqrt()
        shift = (1 - share) * kept[j].sqrt() * MEAN / here / share.sqrt()
        mean = slope * mean + shift
        variance = slope**2 * variance + (1 - share) * (1 - kept[j - 1]) / (1 - kept[j])
    x = 2 * generate(gaussian_run(), 5 * N, method="anneal", moves=0, seed=1).x[:, 0]
    assert abs(float(x.mean() - mean)) < 4 * float(variance / len(x)) ** 0.5
    assert abs(float(x.var() / variance) - 1) < 5 * (2 / len(x)) ** 0.5


def check_costs(moves: int = 3) -> None:
    energy = Gaussian()
    run = gaussian_run(energy)
    walk = annealing(run, run.view(), {}, moves, 0)
    energy.asked = 0
    made = walk.walk(anneal.fresh_chains(run, 7, torch.Generator().manual_seed(0), {}), torch.Generator())
    assert made.n_gradients == energy.asked == 7 * len(KEPT) * (moves + 1)


def check_mixture() -> None:
    """Three quarters of the data about −2, s.d. .1: mode weights are those of the walk, widths those of the moves."""
    made = generate(mixture_run(), N, seed=2)
    x = 2 * made.x[:, 0]
    left, narrow = (x < 0), x[x < 0]
    assert abs(float(left.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / N) ** 0.5
    assert abs(float(narrow.mean()) + 2) < 4 * 0.1 / len(narrow) ** 0.5
    assert abs(float(narrow.var()) / 0.01 - 1) < 5 * (2 / len(narrow)) ** 0.5


CHECKS = (check_gaussian, check_ancestral_steps, check_costs, check_mixture)


@pytest.mark.parametrize("check", CHECKS)
def test_with_exact_energies_it_draws_from_the_law_of_data(check: Callable[[], None]) -> None:
    check()


def no_noise(x: Tensor, score: Tensor, now: Any, before: Any, e: Tensor) -> Tensor:
    return ancestral(x, score, now, before, 0 * e)


def all_that_was_added(x: Tensor, score: Tensor, now: Any, before: Any, e: Tensor) -> Tensor:
    share = (now[0] / before[0])[:, None]
    return (
        ancestral(x, score, now, before, 0 * e) + (now[1][:, None] ** 2 / share**2 - before[1][:, None] ** 2).sqrt() * e
    )


def wrong_sign(x: Tensor, score: Tensor, now: Any, before: Any, e: Tensor) -> Tensor:
    return ancestral(x, -score, now, before, e)


@pytest.mark.parametrize("double", [no_noise, all_that_was_added, wrong_sign])
def test_a_wrong_ancestral_step_is_found(double: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anneal, "ancestral", double)
    with pytest.raises(AssertionError):
        check_ancestral_steps()


def test_moves_that_were_not_made_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Annealing, "moved", lambda self, chains, step_size, rng: (chains, torch.tensor(0.6)))
    for check in (check_costs, check_mixture):
        with pytest.raises(AssertionError):
            check()


def test_moves_that_accept_everything_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def always(self: Any, chains: Any, step_size: Tensor, rng: Any) -> Any:
        noise = anneal.normal(chains.point.x, rng)
        proposal, log_ratio = self.mala.propose(self.view, chains, noise, step_size)
        return proposal, log_ratio.exp().clamp(max=1).mean()

    monkeypatch.setattr(Annealing, "moved", always)
    with pytest.raises(AssertionError):
        check_mixture()


def test_the_mean_of_a_step_is_that_of_the_posterior() -> None:
    """For Gaussian data x_{j−1} given x_j is known: regression of one on the other."""
    a, sd = (0.9**0.5, 0.5**0.5), (0.1**0.5, 0.5**0.5)
    x = torch.tensor([[0.3], [-2.0]])
    here = a[1] ** 2 * SD**2 + sd[1] ** 2
    covariance = a[1] / a[0] * (a[0] ** 2 * SD**2 + sd[0] ** 2)
    wanted = a[0] * MEAN + covariance / here * (x - a[1] * MEAN)
    now, before = ((torch.full((2,), a[i]), torch.full((2,), sd[i])) for i in (1, 0))
    found = ancestral(x, -(x - a[1] * MEAN) / here, now, before, torch.zeros(2, 1))
    assert torch.allclose(found, wanted, atol=1e-6)


class Broad(Gaussian):
    """Knows its law at the last level, which is far from where fresh chains start."""

    def drawn(self, point: Point, rng: torch.Generator) -> Tensor:
        assert bool((point.aux["noise"] == 4).all())
        kept = KEPT[4]
        return kept.sqrt() * MEAN + variance_at(kept).sqrt() * torch.randn(point.x.shape, generator=rng) + 100


def test_chains_start_in_a_law_that_the_energy_knows() -> None:
    run = gaussian_run(Broad())
    begun = annealing(run, run.view(), {}, 1, 0).begun(Point(x=torch.zeros(50, 1)), torch.Generator().manual_seed(0))
    assert 99 < float(begun.point.x.mean()) < 101.5 and begun.point.aux["noise"].tolist() == [4] * 50


def test_from_pure_noise_only_the_moves_lead_on() -> None:
    x, e = torch.tensor([[1.0], [2.0]]), torch.ones(2, 1)
    noise, before = (torch.zeros(2), torch.ones(2)), (torch.full((2,), 0.3), torch.full((2,), 0.95))
    assert torch.equal(ancestral(x, -x, noise, before, e), x)


def test_it_says_how_chains_were_made_and_what_they_cost() -> None:
    moments: list[Moment] = []
    made = generate(gaussian_run(), 5, method="anneal", moves=2, denoise=True, watch=moments.append)
    assert made.plan == Plan(visits=0, transitions=5, plain_transitions=0, walked="noise", moves=2)
    assert made.n_gradients == 5 * 3 + 1 and made.denoised == pytest.approx((0.01 / 0.99) ** 0.5 / 2, rel=1e-3)
    assert "a walk from noise 4 to 0, an ancestral step and 2 exact moves at each: 16 gradients a sample" in str(made)
    assert [(m.transition, m.transitions, m.n_taken) for m in moments] == [(i, 5, None) for i in range(1, 6)]
    assert made.accept_rate is not None and made.notes == () and made.aux["noise"].tolist() == [0] * 5
    bare = generate(gaussian_run(), 5, method="anneal", moves=0)
    assert bare.n_gradients == 5 and bare.accept_rate is None and "(--moves 8)" in bare.notes[0]


def test_samples_are_a_function_of_the_seed() -> None:
    one, same, other = (generate(gaussian_run(), 6, method="anneal", seed=s).x for s in (3, 3, 4))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_steps_reach_the_acceptance_at_every_level() -> None:
    run = mixture_run()
    walk = annealing(run, run.view(), {}, 8, 0)
    assert float(walk.steps[0]) < 0.3 < float(walk.steps[-1]), "steps go with the width of a level"
    assert 0.45 < (generate(run, 200, seed=1).accept_rate or 0) < 0.75


class NoisyClasses(Classes):
    """Data at y = 0, 1, 2, at every level, with noise."""

    def __call__(self, point: Point) -> Tensor:
        kept = KEPT[point.aux["noise"]]
        mean = kept.sqrt() * point.aux["label"]
        return (point.x[:, 0] - mean) ** 2 / (2 * variance_at(kept))


def test_other_coordinates_stay_and_can_be_given() -> None:
    run = gaussian_run(NoisyClasses())
    run = replace(run, coordinates=(*run.coordinates, Label(3)), data=replace(run.data, n_classes=3))
    made = generate(run, 900, method="anneal", given={"label": "2"}, seed=0)
    assert made.aux["label"].tolist() == [2] * 900 and abs(2 * float(made.x.mean()) - 2) < 0.1
    free = generate(run, 900, method="anneal", seed=0)
    for label in range(3):
        own = 2 * free.x[free.aux["label"] == label, 0]
        assert len(own) > 200 and abs(float(own.mean()) - label) < 0.15


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"visits": 3}, "visits = 3 has no effect"),
        ({"transitions": 3}, "transitions = 3 has no effect"),
        ({"plain_transitions": 3}, "plain_transitions = 3 has no effect"),
        ({"moves": -1}, "moves of at least 0"),
        ({"start": torch.zeros(4, 1)}, "start from noise"),
        ({"given": {"pixels": torch.ones(1, dtype=torch.bool)}}, "start from noise"),
        ({"given": {"noise": "0"}}, "leave one of them out"),
    ],
)
def test_what_does_not_go_with_it_is_refused(how: Any, says: str) -> None:
    with pytest.raises((RecipeError, CapabilityError), match=says):
        generate(gaussian_run(), 4, method="anneal", **how)


def test_a_method_that_does_not_exist_is_refused_and_not_taken_for_the_other() -> None:
    with pytest.raises(RecipeError, match=r"no method .aneal..*Did you mean 'anneal'"):
        generate(gaussian_run(), 4, method=cast(Any, "aneal"))


def test_moves_without_annealing_are_refused() -> None:
    with pytest.raises(RecipeError, match="belong to method"):
        generate(noisy_run(mala()), 4, moves=3)


def test_a_run_along_which_nothing_leads_to_data_is_refused() -> None:
    def run_with(*coordinates: Any, **data: Any) -> Model:
        run = noisy_run(NoSampler())
        return replace(run, coordinates=coordinates, data=replace(run.data, **data))

    for run, says in (
        (run_with(), "no coordinate of this run takes chains away"),
        (run_with(Noise()), "does not say how much noise"),
        (run_with(Known(KEPT), Known(KEPT)), "noise and noise take chains away from data"),
        (run_with(Known(KEPT), x_values="binary"), "x of these data is binary"),
    ):
        with pytest.raises(CapabilityError, match=says):
            generate(run, 2, method="anneal")
    with pytest.raises(CapabilityError, match="noise 2 holds no more noise than noise 1"):
        generate(run_with(Known(torch.tensor([0.9, 0.5, 0.6]))), 2, method="anneal")
    assert walked_by(gaussian_run(), {}).name == "noise"


def test_an_energy_that_is_not_finite_ends_it() -> None:
    def broken(point: Point) -> Tensor:
        away = (point.aux["noise"] == 1).to(point.x) / 0
        return point.x.square().sum(dim=1) / 2 + away.nan_to_num(0, torch.inf, 0)

    with pytest.raises(DivergenceError, match="at noise 1 of the annealing"):
        generate(gaussian_run(broken), 4, method="anneal")


def test_the_model_is_left_as_it_was() -> None:
    run = gaussian_run()
    before = SimpleNamespace(sampler=run.sampler, tuning=dict(run.tuning), coordinates=run.coordinates)
    generate(run, 3, method="anneal", moves=1)
    assert run.sampler is before.sampler and run.tuning == before.tuning and run.coordinates is before.coordinates
