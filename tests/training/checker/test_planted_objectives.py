"""Mistakes that people make in objectives of their own: each is named, with the part, in the first step of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit import EbmkitError
from tests.training.checker.doubles import Judge, Table
from tests.training.checker.planted import MADE, OTHERS, Make, also, shelf, trained

__all__ = ["shelf"]


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
    "a backward pass of its own": (
        acting(lambda j, e, p: gap(p).backward(retain_graph=True)),
        "called backward itself.*Return the loss alone",
    ),
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
