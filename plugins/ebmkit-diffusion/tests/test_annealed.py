"""Samples that are annealed along the noise levels."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import ebmkit
from ebmkit import BuildContext, CapabilityError, Point, Tail
from ebmkit.assembly.build import build
from ebmkit.cli.main import main
from ebmkit.data.spec import DataSpec
from ebmkit.evaluation.evaluate import sampling_words
from ebmkit.recipes.recipe import Recipe
from ebmkit.runs.run import load, run
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model
from ebmkit.views.view import view

RECIPE = """
[run]
steps = 4
batch_size = 16
[data]
use = "toy"
[energy]
use = "mlp"
widths = [16]
[[wrapper]]
use = "level-head"
base = "gaussian"
[[objective]]
use = "level-classification"
[[objective]]
use = "denoising-score-matching"
[sample]
method = "anneal"
moves = 2
[checkpoint]
every = 4
[pictures]
every = 2
n = 8
[log]
every = 1
tensorboard = false
"""
MEANS, SD = torch.tensor([-0.6, 0.7]), 0.05


def mixture_run(smooth: float) -> Model:
    """The exact energies of ¼N(−.6, s²) + ¾N(.7, s²) with its noise at each of 24 levels, in the units of chains."""
    level = build("coordinate", "level", context=BuildContext(event_shape=(1,)), noise_levels=24, smooth=smooth)

    def energy(point: Point) -> torch.Tensor:
        kept, sd = level.noise(point)
        variance = kept[:, None] ** 2 * SD**2 + sd[:, None] ** 2
        squares = (point.x - kept[:, None] * MEANS) ** 2 / (2 * variance)
        return -(torch.tensor([0.25, 0.75]).log() - variance.log() / 2 - squares).logsumexp(dim=1)

    data = DataSpec(event_shape=(1,), value_range=None, n_classes=0, class_names=(), n_data=1)
    return Model(
        recipe=Recipe(tables={"run": {"precision": "fp32", "temperature": 1.0}, "sample": {"batch_size": 3000}}),
        energy=energy, sampler=NoSampler(), objectives={}, coordinates=(level,), data=data,
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.mark.parametrize("smooth", [0.0, 0.15])
def test_exact_energies_give_the_law_of_data(smooth):
    made = generate(mixture_run(smooth), 3000, method="anneal", moves=4, seed=0)
    x, sd = made.x[:, 0], (SD**2 + smooth**2) ** 0.5
    right = x > 0.05
    assert abs(float(right.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / 3000) ** 0.5
    assert abs(float(x[right].mean()) - 0.7) < 5 * sd / int(right.sum()) ** 0.5
    assert float(x[right].std()) == pytest.approx(sd, rel=0.06)
    assert made.n_gradients == 25 * 5 and made.aux["level"].tolist() == [0] * 3000


def chains_at_data(moves: int) -> torch.Tensor:
    """Of 1,500 chains of the sampler, x of those at level 0, each after a walk from the last level."""
    model = mixture_run(0.0)
    level = model.coordinates[0]
    context = BuildContext(event_shape=(1,), coordinates=(level,))
    sampler = build("sampler", "annealed", context=context, moves=max(moves, 1), step_size=0.1)
    rng = torch.Generator().manual_seed(0)
    start = level.prior(1500, Point(x=torch.randn(1500, 1, generator=rng)), rng)
    state, view, taken = sampler.init(start, rng), model.view(), []
    sampler = sampler if moves else sampler.children[1]
    for i in range(100):
        state, info = sampler.step(view, state)
        if moves and i < 50:
            state = replace(state, tuning={"0": sampler.children[0].adapted(state.tuning["0"], info.children[0])})
        if i >= 30:  # every chain was noise once, and walked down from there
            taken.append(state.point.x[state.point.aux["level"] == 0, 0])
    return torch.cat(taken)


def test_chains_of_the_sampler_come_down_to_the_law_of_data():
    x = chains_at_data(moves=3)
    right = x > 0.05
    assert abs(float(right.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / 1500) ** 0.5, "1,500 chains, three walks each"
    assert float(x[right].std()) == pytest.approx(SD, rel=0.06)


def test_without_moves_they_are_too_narrow():
    x = chains_at_data(moves=0)
    assert float(x[x > 0.05].std()) < 0.9 * SD, "the ancestral step leaves out what x_j does not know of clean x"


class Quartic(nn.Module):
    """θ(1 + t)‖x‖⁴/4, whose gradient at each level moves with θ."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(self, point: Point) -> torch.Tensor:
        return self.theta * (1 + point.aux["level"]) * (point.x**4).sum(dim=1) / 4


@pytest.mark.parametrize("rows", [None, 25])
def test_a_tail_is_the_graph_of_the_step_down(rows: int | None) -> None:
    """Against finite differences; chains that linger or start again from noise have none."""
    level = build("coordinate", "level", context=BuildContext(event_shape=(2,)), noise_levels=6)
    context = BuildContext(event_shape=(2,), coordinates=(level,))
    energy = Quartic()
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    start = Point(x=x).with_aux(level=torch.arange(40) % 7)

    def end(tail: Tail | None, shift: float = 0.0, part: int = 1) -> Point:
        with torch.no_grad():
            energy.theta.add_(shift)
        sampler = build("sampler", "annealed", context=context, moves=2, linger=0.3)
        walk = sampler if part < 0 else sampler.children[part]
        after = walk.step(view(energy), walk.init(start, torch.Generator().manual_seed(0)), tail=tail)[0].point
        with torch.no_grad():
            energy.theta.sub_(shift)
        return after

    kept, plain = end(Tail(rows=rows)), end(None)
    assert torch.equal(kept.x, plain.x) and not plain.x.requires_grad
    slopes = torch.stack([torch.autograd.grad(row.sum(), energy.theta, retain_graph=True)[0] for row in kept.x])
    wanted = (end(None, 1e-6).x - end(None, -1e-6).x).sum(dim=1) / 2e-6
    wanted[rows or 40 :] = 0
    torch.testing.assert_close(slopes, wanted, rtol=1e-6, atol=1e-8)
    goes = kept.aux["level"] == start.aux["level"] - 1
    assert 0 < int(goes.sum()) < 36 and bool((slopes[~goes] == 0).all())
    assert torch.equal(end(Tail(rows=rows), part=-1).x, end(None, part=-1).x), "of the whole walk, too"


def test_a_chain_goes_one_level_down_and_starts_again_from_noise():
    model = mixture_run(0.0)
    context = BuildContext(event_shape=(1,), coordinates=model.coordinates)
    sampler = build("sampler", "annealed", context=context, moves=1)
    rng = torch.Generator().manual_seed(0)
    start = Point(x=torch.zeros(400, 1)).with_aux(level=torch.tensor([0, 7] * 200))
    after, info = sampler.step(model.view(), sampler.init(start, rng))
    assert after.point.aux["level"].tolist() == [24, 6] * 200 and info.n_gradients == 3
    assert float(after.point.x[::2].std()) > 0.9 and float(after.point.x[1::2].std()) < 0.6


def test_a_chain_may_linger_at_its_level():
    model = mixture_run(0.0)
    context = BuildContext(event_shape=(1,), coordinates=model.coordinates)
    sampler = build("sampler", "annealed", context=context, moves=1, linger=0.75).children[1]
    rng = torch.Generator().manual_seed(0)
    start = Point(x=torch.randn(2000, 1, generator=rng)).with_aux(level=torch.arange(2000) % 25)
    after, _ = sampler.step(model.view(), sampler.init(start, rng))
    stayed = after.point.aux["level"] == start.aux["level"]
    assert abs(float(stayed.double().mean()) - 0.75) < 4 * (0.75 * 0.25 / 2000) ** 0.5
    assert torch.equal(after.point.x[stayed], start.x[stayed])
    assert not bool((after.point.x[~stayed] == start.x[~stayed]).any())


def test_the_sampler_needs_the_levels_of_this_package():
    class Other:
        name, noises_x, n_values, leaves_data = "level", True, 5, True

    with pytest.raises(CapabilityError, match="use mgms"):
        build("sampler", "annealed", context=BuildContext(event_shape=(1,), coordinates=(Other(),)))


def test_the_last_step_takes_away_what_data_were_smoothed_by():
    made = generate(mixture_run(0.15), 500, method="anneal", moves=4, denoise=True, seed=0)
    spread = float(made.x[made.x > 0.05].std())
    assert spread < 0.05, "the mean of clean x given noisy x varies less than clean x"
    assert made.denoised == pytest.approx(0.15) and made.n_gradients == 25 * 5 + 1


def test_a_run_without_chains_shows_and_judges_annealed_samples(tmp_path, capsys):
    made = run(RECIPE, out=tmp_path / "run")
    assert len(list((made.directory / "samples").glob("step-*.png"))) == 2
    again = load(made.directory).model
    words = sampling_words(again, generate(again, 4))
    assert words.startswith("annealed, taken after a walk from level 6 to 0, an ancestral step and 2 exact moves")
    assert torch.equal(again.sample(4, seed=1, progress=False).x, ebmkit.generate(again, 4, seed=1).x)
    out = tmp_path / "x.npz"
    assert main(["sample", str(made.directory), "-n", "4", "--moves", "1", "--out", str(out)]) == 0
    assert "taken after a walk from level 6 to 0" in (said := capsys.readouterr().out) and "14 gradients each" in said
    assert main(["sample", str(made.directory), "-n", "4", "--given", "level=0", "--out", str(out)]) != 0
    assert main(["report", str(made.directory), "-n", "4", "--out", str(tmp_path / "x.html")]) == 0
    assert "a walk from level 6 to 0" in (tmp_path / "x.html").read_text()


def test_a_model_without_levels_is_refused(tmp_path):
    model = ebmkit.fit("mlp", torch.randn(32, 2), sampler="mala", steps=1, progress=False)
    with pytest.raises(CapabilityError, match="Train with a noise level"):
        model.sample(2, method="anneal", progress=False)
