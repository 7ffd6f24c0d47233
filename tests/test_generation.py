"""Laws of generation: what is given is held, and everything else moves as it did."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ebmkit.assemble import Facts
from ebmkit.building import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.generation import generate, holding
from ebmkit.point import Point
from ebmkit.recipe import Recipe
from ebmkit.runs import Run
from ebmkit.samplers.sequence import Sequence


class Classes:
    """E(x, y) = (x − y)²/2, with the energies of all labels at once."""

    abilities = frozenset({"levels"})

    def __call__(self, point: Point) -> Tensor:
        return (point.x - point.aux["label"][:, None]).square().sum(dim=1) / 2

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        every = torch.stack([self(point.with_aux(label=torch.full((len(point),), i))) for i in range(3)], dim=1)
        return {name: every if name == "levels" else self(point) for name in abilities}


class Joint:
    """Moves x and the label together."""

    moves_coordinates = frozenset({"label"})
    moves_x = True


def mala(step_size: float = 0.3) -> Any:
    return build("sampler", "mala", moves=2, step_size=step_size, adapt="off")


def gibbs() -> Any:
    return build("sampler", "gibbs", coordinate="label")


def run_of(sampler: Any, tuning: Any = None) -> Run:
    facts = Facts(event_shape=(2,), value_range=None, n_classes=3, class_names=(), n_data=1)
    return Run(
        directory=Path(), recipe=Recipe(tables={"run": {"precision": "fp32"}}), energy=Classes(), sampler=sampler,
        objectives={}, coordinates=(Label(3),), facts=facts, step=1, device=torch.device("cpu"), tuning=tuning or {},
    )  # fmt: skip


def test_a_given_coordinate_is_held_where_a_sampler_would_move_it() -> None:
    run = run_of(Sequence([mala(), gibbs()]))
    held = generate(run, 16, given={"label": "2"}, rounds=5, seed=0)
    assert held.aux["label"].tolist() == [2] * 16 and held.n_gradients == 15
    free = generate(run, 16, rounds=5, seed=0)
    assert len(set(free.aux["label"].tolist())) > 1


def test_held_chains_are_those_of_the_parts_that_are_left() -> None:
    whole, alone = run_of(Sequence([gibbs(), mala(), gibbs()])), run_of(Sequence([mala()]))
    one, other = (generate(run, 4, given={"label": "1"}, rounds=3, seed=0) for run in (whole, alone))
    assert torch.equal(one.x, other.x)


@given(st.lists(st.sampled_from(["x", "label", "nested"]), min_size=1, max_size=5))
def test_every_part_that_is_left_keeps_its_tuning(kinds: list[str]) -> None:
    made: dict[str, Any] = {"x": mala, "label": gibbs, "nested": lambda: Sequence([gibbs(), mala()])}
    tunings: list[Any] = [
        {"x": {"step_size": i}, "label": {}, "nested": {"1": {"step_size": i}}}[kind] for i, kind in enumerate(kinds)
    ]
    children = [made[kind]() for kind in kinds]
    run = run_of(Sequence(children), {str(i): tuning for i, tuning in enumerate(tunings)})
    if set(kinds) == {"label"}:
        with pytest.raises(CapabilityError, match="nothing else"):
            holding(run, frozenset({"label"}))
        return
    held = holding(run, frozenset({"label"}))
    left = [i for i, kind in enumerate(kinds) if kind != "label"]
    flat = [held.tuning[str(j)].get("0", held.tuning[str(j)]) for j in range(len(left))]
    assert [t["step_size"] for t in flat] == left and not held.sampler.moves_coordinates
    assert run.sampler.children == tuple(children)
    assert holding(run, frozenset()).sampler is run.sampler


def test_what_moves_together_cannot_be_held() -> None:
    both = SimpleNamespace(moves_coordinates=frozenset({"label", "level"}), moves_x=False)
    joint: Any = Joint()
    for sampler, other in ((joint, "x"), (Sequence([mala(), joint]), "x"), (both, "level")):
        with pytest.raises(CapabilityError, match=f"--given label:.*together with {other}"):
            generate(run_of(sampler), 2, given={"label": "1"}, rounds=1)
    with pytest.raises(CapabilityError, match="nothing else"):
        generate(run_of(gibbs()), 2, given={"label": "1"}, rounds=1)


def test_a_strength_needs_a_latent() -> None:
    with pytest.raises(RecipeError, match="--given latent"):
        generate(run_of(mala()), 2, strength=1.0, rounds=1)
