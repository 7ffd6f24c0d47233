"""Mistakes that people make in parts of their own: each is named, with the part, in the first step of a run."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebmkit
from ebmkit import Batch, BuildContext, EbmkitError, Point
from ebmkit.plugins.host import Host
from tests.training.checker.doubles import (
    TRAITS,
    Able,
    Judge,
    Mover,
    Net,
    Rows,
    Sides,
    Table,
    Walled,
    component,
)

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


def energies(answer: Callable[[Any, Point], Any], **extra: Callable[[], nn.Module]) -> Make:
    def make(context: BuildContext) -> Net:
        with ebmkit.seeded(context.seed):
            layers = {name: layer() for name, layer in extra.items()}
        return Net(context, answer, **layers)

    return make


def also(act: Callable[..., object], result: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that does something else first."""

    def both(*arguments: Any) -> Any:
        act(*arguments)
        return result(*arguments)

    return both


class Once(torch.autograd.Function):
    """x², which can be differentiated once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


def counted(net: Any, point: Point) -> Tensor:
    net.layer.running_mean += 1
    return net.plain(point)


ENERGIES: dict[str, tuple[Make, str]] = {
    "a column": (energies(lambda net, p: net.plain(p)[:, None]), r"shape \(8, 1\) for 8 rows.*squeeze"),
    "one number for all": (energies(lambda net, p: net.plain(p).sum()), r"shape \(\) for 8 rows"),
    "bf16": (energies(lambda net, p: net.plain(p).bfloat16()), "bfloat16.*float32"),
    "a pair": (energies(lambda net, p: (net.plain(p), p.x)), "returned tuple"),
    "a logarithm": (energies(lambda net, p: net.plain(p) + p.x[:, 0].log()), "not finite at data.*logarithm"),
    "an infinite gradient": (
        energies(lambda net, p: net.plain(p) + torch.where(p.x[:, 0] < 99, p.x[:, 0] * 0, p.x[:, 0]).sqrt()),
        "gradient in x that is not finite",
    ),
    "batch norm": (
        energies(lambda net, p: net.plain(p.replace(x=net.layer(p.x))), layer=lambda: nn.BatchNorm1d(2)),
        "depends on the other rows.*its BatchNorm1d 'layer'.*GroupNorm",
    ),
    "dropout": (
        energies(lambda net, p: net.plain(p.replace(x=net.layer(p.x))), layer=nn.Dropout),
        "two answers at the same point.*its Dropout 'layer'.*evaluation mode",
    ),
    "the mean over rows": (
        energies(lambda net, p: net.plain(p) - net.plain(p).mean().detach()),
        "depends on the other rows",
    ),
    "a softmax over rows": (energies(lambda net, p: net.plain(p).softmax(dim=0)), "depends on the other rows"),
    "noise": (energies(lambda net, p: net.plain(p) + torch.randn(len(p))), "two answers at the same point"),
    "numpy's stream": (
        energies(also(lambda net, p: np.random.rand(), Net.plain)),
        "numpy's global random stream.*cannot be repeated",
    ),
    "a write into x": (energies(also(lambda net, p: p.x.detach().mul_(2), Net.plain)), "wrote into 'x'"),
    "a write through .data": (energies(also(lambda net, p: p.x.data.mul_(2), Net.plain)), "wrote into 'x'"),
    "a detached x": (energies(lambda net, p: net.plain(p.map(torch.detach)).detach()), "no gradient in x"),
    "running state": (energies(counted, layer=lambda: nn.BatchNorm1d(2)), "changed its own 'layer.running_mean'"),
    "a mode of its own": (
        energies(lambda net, p: net.plain(p) * (2 if net.training else 1)),
        "other energies in training mode than in evaluation mode",
    ),
    "an unanswered ability": (lambda c: Able(c, "latent", None), "declares the ability 'latent' and does not answer"),
    "features by column": (lambda c: Able(c, "features", lambda n, p: p.x.T), r"'features' with shape \(2, 8\)"),
    "a latent of any length": (lambda c: Able(c, "latent", lambda n, p: 3 * p.x), "not of unit norm"),
    "unseeded weights": (lambda c: (nn.Linear(2, 2), Net(c))[1], "while it was built.*torch's.*ebmkit.seeded"),
}


@pytest.mark.parametrize("mistake", ENERGIES)
def test_an_energy(mistake: str, tmp_path: Path) -> None:
    make, said = ENERGIES[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Energy 'planted'.*{said}"):
        trained(tmp_path, "energy", make)


LEVELS: dict[str, tuple[Make, str]] = {
    "too few levels": (lambda c: Able(c, "levels.label", lambda n, p: n.plain(p)[:, None]), r"\[B, 2\], one for each"),
    "other levels": (
        lambda c: Able(c, "levels.label", lambda n, p: n.plain(p)[:, None] * torch.tensor([[3.0, 5.0]])),
        "energies that are not its own",
    ),
}


@pytest.mark.parametrize("mistake", LEVELS)
def test_an_energy_of_levels(mistake: str, tmp_path: Path) -> None:
    make, said = LEVELS[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Energy 'planted'.*{said}"):
        trained(tmp_path, "energy", make, coordinate={"use": "label"})


def test_an_energy_that_cannot_be_differentiated_twice(tmp_path: Path) -> None:
    def scored(judge: Any, energy: Any, phases: Any) -> dict[str, Tensor]:
        return {"score": phases.evaluate("positive", "score").square().mean()}

    MADE["energy"] = energies(lambda net, p: net.outer(Once.apply(net.inner(p.x)))[:, 0])
    with pytest.raises(EbmkitError, match=r"(?s)^Energy 'planted'.*differentiated 2 times.*n_derivatives"):
        trained(
            tmp_path, "objective", lambda c: Judge(c, scored, derivatives=2), energy={"use": "planted"}
        )  # fmt: skip


def moved(act: Callable[..., object]) -> Make:
    return lambda c: Mover(also(act, Mover.plain))


def drifting(sampler: Any, view: Any, state: Any) -> Point:
    return state.point.replace(x=state.point.x + 0.01 * sampler.calls)


OWN = torch.Generator().manual_seed(0)

SAMPLERS: dict[str, tuple[Make, str]] = {
    "torch's stream": (
        lambda c: Mover(lambda s, v, state: state.point.map(lambda t: t + torch.randn(t.shape))),
        "(ended elsewhere|torch's global random stream)",
    ),
    "torch's stream, for nothing": (moved(lambda *a: torch.rand(1)), "torch's global random stream.*state.rng"),
    "numpy's stream": (moved(lambda *a: np.random.rand()), "numpy's global random stream"),
    "Python's stream": (moved(lambda *a: random.random()), "Python's global random stream"),
    "a stream of its own": (
        lambda c: Mover(lambda s, v, state: state.point.map(lambda t: t + torch.randn(t.shape, generator=OWN))),
        "one transition twice.*must be pure",
    ),
    "a count of its own": (lambda c: Mover(drifting), "one transition twice.*must be pure"),
    "fewer rows": (lambda c: Mover(lambda s, v, state: state.point.map(lambda t: t[1:])), r"'x' of shape \(7, 2\)"),
    "float64": (lambda c: Mover(lambda s, v, state: state.point.map(torch.Tensor.double)), "'x' in torch.float64"),
    "another coordinate": (
        lambda c: Mover(lambda s, v, state: state.point.with_aux(age=torch.zeros(len(state.point)))),
        "coordinates age, expected none",
    ),
    "beyond its bounds": (
        lambda c: Walled(lambda s, v, state: state.point.map(lambda t: t + 9)),
        r"outside of \[-1, 1\].*Reflect or clamp",
    ),
    "a write into its start": (moved(lambda s, v, state: state.point.x.add_(1)), "wrote into its start"),
    "a write into its tuning": (moved(lambda s, v, state: state.tuning["step_size"].mul_(2)), "wrote into its tuning"),
    "a write into weights": (
        moved(lambda s, v, state: next(v.live.parameters()).data.add_(1)),
        "wrote into the energy",
    ),
    "a changed mode": (moved(lambda s, v, state: v.live.eval()), "changed the mode of the energy"),
    "frozen weights": (moved(lambda s, v, state: v.live.requires_grad_(False)), "require a gradient"),
    "a graph": (
        lambda c: Mover(lambda s, v, state: state.point.map(lambda t: t.detach().requires_grad_() + 1)),
        "'x' with a graph.*Detach",
    ),
    "a rate above 1": (lambda c: Mover(rate=lambda n: torch.full((n,), 1.5)), r"accept_rate lies outside of \[0, 1\]"),
    "one rate for all": (lambda c: Mover(rate=lambda n: torch.ones(())), r"accept_rate has shape \(\) for 8"),
    "a state alone": (lambda c: Mover(lambda s, v, state: state), "returned SamplerState.*SamplerInfo"),
}


@pytest.mark.parametrize("mistake", SAMPLERS)
def test_a_sampler(mistake: str, tmp_path: Path) -> None:
    make, said = SAMPLERS[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Sampler 'planted'.*{said}"):
        trained(tmp_path, "sampler", make)


def test_a_sampler_that_moves_a_label_and_does_not_say_so(tmp_path: Path) -> None:
    def relabelled(sampler: Any, view: Any, state: Any) -> Point:
        return state.point.with_aux(label=1 - state.point.aux["label"])

    with pytest.raises(EbmkitError, match="Sampler 'planted' moved 'label', which its traits do not name"):
        trained(tmp_path, "sampler", lambda c: Mover(relabelled), coordinate={"use": "label"})


def test_the_part_of_a_sequence_is_named(tmp_path: Path) -> None:
    MADE["sampler"] = SAMPLERS["a write into its start"][0]
    TRAITS.append(Mover().traits)
    with pytest.raises(EbmkitError, match=r"^Sampler 'planted' wrote into its start"):
        trained(
            tmp_path, "dataset", lambda c: Table(), sampler=[{"use": "planted"}, {"use": "sgld", "moves": 1}]
        )  # fmt: skip


BUFFERS: dict[str, tuple[Make, str]] = {
    "fewer rows": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t[1:])), r"'x' of shape \(7, 2\)"),
    "NaN": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t * torch.nan)), "'x' that is not finite"),
    "float64": (lambda c: Rows(c, lambda p, rng: p.map(torch.Tensor.double)), "'x' in torch.float64"),
    "the global stream": (
        lambda c: Rows(c, lambda p, rng: p.map(lambda t: t + torch.randn(t.shape))),
        "(torch's global random stream)",
    ),
    "a graph": (lambda c: Rows(c, lambda p, rng: p.map(lambda t: t.requires_grad_())), "with a graph"),
    "nothing kept": (lambda c: Rows(c, keeps=False), "same rows after 8 moved chains"),
    "nothing restored": (lambda c: Rows(c, saves=False), "did not take its saved 'x'"),
    "no count": (lambda c: _never_filled(c), "says filled = 0 of 16 rows"),
}


def _never_filled(context: BuildContext) -> Rows:
    class Uncounted(Rows):
        filled = property(lambda self: 0, lambda self, value: None)  # type: ignore[assignment]

    return Uncounted(context)


@pytest.mark.parametrize("mistake", BUFFERS)
def test_a_buffer(mistake: str, tmp_path: Path) -> None:
    make, said = BUFFERS[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Buffer 'planted'.*{said}"):
        trained(tmp_path, "buffer", make)


def test_a_buffer_with_labels_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(EbmkitError, match="Buffer 'planted' drew chains whose 'label' is not that of the data"):
        trained(
            tmp_path, "buffer", lambda c: Rows(c, matches=False), coordinate={"use": "label"},
            energy={"use": "mlp", "widths": [4], "labels": True},
        )  # fmt: skip


def test_a_buffer_that_leaves_the_range_of_the_data(tmp_path: Path) -> None:
    MADE["buffer"] = lambda c: Rows(c, lambda p, rng: p.map(lambda t: t + 9))
    with pytest.raises(EbmkitError, match=r"Buffer 'planted' drew x in .* outside of \[0, 1\]"):
        trained(tmp_path, "dataset", lambda c: Table(), buffer={"use": "planted"})


def gap(phases: Any) -> Tensor:
    difference: Tensor = phases.evaluate("positive").mean() - phases.evaluate("negative").mean()
    return difference


def judged(score: Callable[..., Any]) -> Make:
    return lambda c: Judge(c, score)


def acting(act: Callable[..., object]) -> Make:
    return judged(also(act, lambda judge, energy, phases: {"gap": gap(phases)}))


OBJECTIVES: dict[str, tuple[Make, str]] = {
    "one loss a row": (
        judged(lambda j, e, p: {"gap": p.evaluate("positive")}),
        r"'gap' of shape \(8,\).*Take its mean",
    ),
    "a float": (judged(lambda j, e, p: {"gap": gap(p).item()}), "'gap' as float"),
    "a bare tensor": (judged(lambda j, e, p: gap(p)), "returned Tensor. It returns named losses"),
    "a detached loss": (judged(lambda j, e, p: {"gap": gap(p).detach()}), "without a graph, so that it trains nothing"),
    "NaN": (judged(lambda j, e, p: {"gap": (-gap(p).square() - 1).log()}), "'gap' = nan, though the energies"),
    "a phase written": (acting(lambda j, e, p: p.negative.x.add_(1)), "changed a phase in place .'negative.x'"),
    "a phase written through .data": (acting(lambda j, e, p: p.positive.x.data.add_(1)), "in place .*'positive.x'"),
    "labels written": (acting(lambda j, e, p: p.batch.y.data.zero_()), "in place .'batch.y'"),
    "a parameter written": (acting(lambda j, e, p: next(e.parameters()).data.mul_(2)), "changed parameters .'energy"),
    "a changed mode": (acting(lambda j, e, p: e.eval()), "changed the mode of a module"),
    "frozen weights": (acting(lambda j, e, p: e.requires_grad_(False)), "which parameters require a gradient"),
    "the global stream": (acting(lambda j, e, p: torch.rand(1)), "torch's global random stream.*phases.rng"),
    "an unregistered network": (
        judged(lambda j, e, p: {"fit": ALONE(p.batch.x).square().mean()}),
        "reaches no parameter, neither of the energy nor of its own",
    ),
    "unseeded weights": (
        lambda c: (nn.Linear(2, 2), Judge(c))[1],
        "while it was built.*torch's global random stream.*ebmkit.seeded",
    ),
}
ALONE = nn.Linear(2, 1)


@pytest.mark.parametrize("mistake", OBJECTIVES)
def test_an_objective(mistake: str, tmp_path: Path) -> None:
    make, said = OBJECTIVES[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Objective 'planted'.*{said}"):
        trained(tmp_path, "objective", make)


def test_an_objective_that_trains_another(tmp_path: Path) -> None:
    MADE["objective"] = lambda c: Judge(c, lambda j, e, p: {"gap": gap(p) * j.others[0].weight}, others=OTHERS)
    with pytest.raises(EbmkitError, match="Objective 'planted' has a gradient in parameters of objective 'plain'"):
        trained(tmp_path, "dataset", lambda c: Table(), objective=[{"use": "plain"}, {"use": "planted"}])


DATA: dict[str, tuple[Make, str]] = {
    "NaN": (lambda c: Table(lambda b: Batch(x=b.x / 0 * 0, y=b.y)), "gave NaN in 8 of 8 rows. The data are at fault"),
    "infinity": (lambda c: Table(lambda b: Batch(x=1 / (0 * b.x), y=b.y)), "gave infinite values in 8 of 8"),
    "another shape": (lambda c: Table(lambda b: Batch(x=b.x[:, :1], y=b.y)), r"declares data of shape \(2\).*\(8, 1\)"),
    "another range": (lambda c: Table(lambda b: Batch(x=2 * b.x - 1, y=b.y)), r"declares values in \[0, 1\]"),
    "float64": (lambda c: Table(lambda b: Batch(x=b.x.double(), y=b.y)), "torch.float64, but a run is in float32"),
    "bytes": (lambda c: Table(lambda b: Batch(x=b.x.byte(), y=b.y)), "x of torch.uint8"),
    "a graph": (lambda c: Table(lambda b: Batch(x=b.x.requires_grad_(), y=b.y)), "x that requires a gradient"),
    "another device": (lambda c: Table(lambda b: Batch(x=b.x.to("meta"), y=b.y)), "x on meta, but the run is on cpu"),
    "labels from 1": (lambda c: Table(lambda b: Batch(x=b.x, y=b.y + 1)), "labels are 0 to 1.*from 1 to 2.*from 0"),
    "labels as floats": (lambda c: Table(lambda b: Batch(x=b.x, y=b.y.float())), "labels of torch.float32.*int64"),
    "no labels": (lambda c: Table(lambda b: Batch(x=b.x)), "declares 2 classes, but gave no labels"),
}


@pytest.mark.parametrize("mistake", DATA)
def test_data(mistake: str, tmp_path: Path) -> None:
    make, said = DATA[mistake]
    with pytest.raises(ebmkit.DataError, match=f"(?s)^Data set 'planted'.*{said}"):
        trained(tmp_path, "dataset", make)


def test_data_of_grey_bits(tmp_path: Path) -> None:
    MADE["dataset"] = lambda c: Table(x_values="binary")
    discrete = {"data": {"use": "bits"}, "sampler": {"use": "gibbs-with-gradients"}}
    with pytest.raises(ebmkit.DataError, match="Data set 'bits' declares binary x, but gave other values"):
        trained(tmp_path, "dataset", MADE["dataset"], **discrete)


def test_data_of_fewer_rows(tmp_path: Path) -> None:
    with pytest.raises(ebmkit.DataError, match="8 rows were asked of the data set and it gave 7"):
        trained(tmp_path, "dataset", lambda c: Table(lambda b: Batch(x=b.x[1:], y=b.y[1:])))


COORDINATES: dict[str, tuple[Make, str]] = {
    "no entry": (lambda c: Sides(lambda p: p.without("side")), "lifted no 'side'"),
    "floats": (lambda c: Sides(lambda p: p.with_aux(side=p.aux["side"].float())), "values of torch.float32.*int64"),
    "a value too many": (lambda c: Sides(lambda p: p.with_aux(side=p.aux["side"] + 1)), "says n_values = 2: 0 to 1"),
    "another x": (lambda c: Sides(lambda p: p.replace(x=p.x + 1)), "changed x and says noises_x = False"),
    "the global stream": (
        lambda c: Sides(lambda p: p.with_aux(side=torch.randint(2, (len(p),)))),
        "torch's global random stream",
    ),
    "another shape of x": (lambda c: Sides(lambda p: p.replace(x=p.x[:, :1])), r"'x' of shape \(8, 1\)"),
    "a row that is no data": (
        lambda c: Sides(is_data=lambda p: p.aux["side"] > 5),
        "leaves_data = False, and that lifted rows are not data",
    ),
    "a signal above 1": (lambda c: Sides(signal=lambda p: torch.full((len(p),), 2.0)), r"outside of \[0, 1\]"),
}


@pytest.mark.parametrize("mistake", COORDINATES)
def test_a_coordinate(mistake: str, tmp_path: Path) -> None:
    make, said = COORDINATES[mistake]
    with pytest.raises(EbmkitError, match=f"(?s)^Coordinate 'side'.*{said}"):
        trained(tmp_path, "coordinate", make)


PLAIN: dict[str, Make] = {
    "energy": lambda c: Net(c),
    "sampler": lambda c: Mover(),
    "buffer": lambda c: Rows(c),
    "objective": lambda c: Judge(c),
    "dataset": lambda c: Table(),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_without_a_mistake_there_is_no_alarm(kind: str, tmp_path: Path) -> None:
    assert trained(tmp_path, kind, PLAIN[kind]).step == 3


def test_a_coordinate_without_a_mistake_is_no_alarm(tmp_path: Path) -> None:
    assert trained(tmp_path, "coordinate", lambda c: Sides()).step == 3


@pytest.mark.parametrize("mistake", ["batch norm", "a mode of its own"])
def test_the_setting_switches_it_off(mistake: str, tmp_path: Path) -> None:
    run = {"steps": 1, "batch_size": 8, "temperature": 1.0, "checked_steps": 0}
    assert trained(tmp_path, "energy", ENERGIES[mistake][0], run=run).step == 1


def test_every_message_is_one_line_of_three_parts(tmp_path: Path) -> None:
    with pytest.raises(EbmkitError) as raised:
        trained(tmp_path, "energy", ENERGIES["a column"][0])
    assert re.fullmatch(r"Energy 'planted' .+\. .+\.", str(raised.value)) and "\n" not in str(raised.value)
