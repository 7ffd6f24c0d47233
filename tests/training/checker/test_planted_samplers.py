"""Mistakes that people make in samplers of their own: each is named, with the part, in the first step of a run."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ebmkit import EbmkitError, Point, SamplerInfo
from tests.training.checker.doubles import TRAITS, Mover, Table, Walled
from tests.training.checker.planted import MADE, Make, also, shelf, trained

__all__ = ["shelf"]


def moved(act: Callable[..., object]) -> Make:
    return lambda c: Mover(also(act, Mover.plain))


def drifting(sampler: Any, view: Any, state: Any) -> Point:
    return state.point.replace(x=state.point.x + 0.01 * sampler.calls)


def ended(sampler: Any, view: Any, state: Any, **changes: Any) -> Any:
    point = sampler.plain(view, state)
    info = SamplerInfo(start=state.point, accept_rate=torch.ones(len(point)), n_moves=1, n_gradients=1)
    return replace(state, point=point, **changes), info


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
    "another stream in its state": (
        lambda c: Mover(lambda s, v, state: ended(s, v, state, rng=torch.Generator().manual_seed(0))),
        "another stream than it was handed.*rng=state.rng",
    ),
    "a number in its tuning": (
        lambda c: Mover(lambda s, v, state: ended(s, v, state, tuning={"step_size": 0.1})),
        "'step_size' of its tuning as float.*tensors",
    ),
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
