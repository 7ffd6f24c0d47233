"""Mistakes that people make in energies of their own: each is named, with the part, in the first step of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ebmkit
from ebmkit import BuildContext, EbmkitError, Point
from tests.training.checker.doubles import Able, Judge, Net
from tests.training.checker.planted import MADE, Make, also, shelf, trained

__all__ = ["shelf"]


def energies(answer: Callable[[Any, Point], Any], **extra: Callable[[], nn.Module]) -> Make:
    def make(context: BuildContext) -> Net:
        with ebmkit.seeded(context.seed):
            layers = {name: layer() for name, layer in extra.items()}
        return Net(context, answer, **layers)

    return make


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
    "less that of the first row": (
        energies(lambda net, p: net.plain(p) - net.plain(p)[0]),
        "depends on the other rows",
    ),
    "less that of the first row, without its gradient": (
        energies(lambda net, p: net.plain(p) - net.plain(p)[0].detach()),
        "depends on the other rows",
    ),
    "a sign": (
        energies(lambda net, p: net.plain(p).sign()),
        "a gradient of exactly 0, in x and in each of its parameters",
    ),
    "a softmax over rows": (energies(lambda net, p: net.plain(p).softmax(dim=0)), "depends on the other rows"),
    "noise": (energies(lambda net, p: net.plain(p) + torch.randn(len(p))), "two answers at the same point"),
    "numpy's stream": (
        energies(also(lambda net, p: np.random.rand(), Net.plain)),
        "numpy's global random stream.*cannot be repeated",
    ),
    "a write into x": (energies(also(lambda net, p: p.x.detach().mul_(2), Net.plain)), "wrote into 'x'"),
    "a write through .data": (energies(also(lambda net, p: p.x.data.mul_(2), Net.plain)), "wrote into 'x'"),
    "x detached before the network": (energies(lambda net, p: net.plain(p.map(torch.detach))), "no gradient in x"),
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


@pytest.mark.parametrize("mistake", ["batch norm", "a mode of its own"])
def test_the_setting_switches_it_off(mistake: str, tmp_path: Path) -> None:
    run = {"steps": 1, "batch_size": 8, "temperature": 1.0, "checked_steps": 0}
    assert trained(tmp_path, "energy", ENERGIES[mistake][0], run=run).step == 1


def test_every_message_is_one_line_of_three_parts(tmp_path: Path) -> None:
    with pytest.raises(EbmkitError) as raised:
        trained(tmp_path, "energy", ENERGIES["a column"][0])
    assert re.fullmatch(r"Energy 'planted' .+\. .+\.", str(raised.value)) and "\n" not in str(raised.value)


def test_a_head_that_begins_at_zero_is_no_mistake(tmp_path: Path) -> None:
    def make(context: BuildContext) -> Net:
        net = Net(context)
        nn.init.zeros_(net.outer.weight)
        return net

    trained(tmp_path, "energy", make)


class Blind(nn.Module):
    """A network that was written for evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[:, 0]


def test_an_energy_without_a_graph_is_refused_where_nothing_differentiates_it_in_x() -> None:
    with pytest.raises(EbmkitError, match=r"no gradient in any of its parameters.*no_grad"):
        ebmkit.fit(Blind(), torch.randn(64, 2), objective="noise-contrastive", steps=2, progress=False)
