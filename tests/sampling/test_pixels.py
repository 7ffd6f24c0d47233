"""Given pixels: the law of the others given these is exact, and these stay to the last bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerState
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.samplers.sequence import Sequence
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model
from tests.sampling.test_generate import Noise, Shift, gibbs

SHAPE, N = (1, 2, 3), 1500
MASK = torch.tensor([[[True, False, False], [False, True, False]]])
COVARIANCE = 0.6 ** (torch.arange(6.0)[:, None] - torch.arange(6.0)).abs()
MEAN = torch.linspace(-1, 1, 6)


class Correlated:
    """E(x) = T·½(x − m)ᵀΣ⁻¹(x − m)."""

    def __call__(self, point: Point) -> Tensor:
        d = point.x.flatten(1) - MEAN
        return 2 * (d @ torch.linalg.inv(COVARIANCE) * d).sum(dim=1) / 2


def run_of(sampler: Any, *, coordinates: Any = (), energy: Any = None, shape: Any = SHAPE, **data: Any) -> Model:
    told = {"value_range": None, "n_classes": 3, "class_names": (), "n_data": 1, **data}
    return Model(
        recipe=Recipe(tables={"run": {"precision": "fp32", "temperature": 2.0}}), energy=energy or Correlated(),
        sampler=sampler, objectives={}, coordinates=coordinates, data=DataSpec(event_shape=shape, **told), step=1,
        device=torch.device("cpu"),
    )  # fmt: skip


def exact(name: str = "mala", **settings: Any) -> Any:
    context = BuildContext(event_shape=SHAPE, temperature=2.0)
    return build("sampler", name, context=context, adapt="off", **{"step_size": 0.6, **settings})


def conditional() -> tuple[Tensor, Tensor, Tensor]:
    """Returns the images that are given (rows alike), and mean and covariance of the free entries given these."""
    x = torch.tensor([2.5, 0.0, 0.0, 0.0, -2.0, 0.0])
    free, known = (~MASK).flatten(), MASK.flatten()
    gain = COVARIANCE[free][:, known] @ torch.linalg.inv(COVARIANCE[known][:, known])
    mean = MEAN[free] + gain @ (x - MEAN)[known]
    return x.view(SHAPE).expand(N, *SHAPE), mean, COVARIANCE[free][:, free] - gain @ COVARIANCE[known][:, free]


def is_the_law(free: Tensor, mean: Tensor, covariance: Tensor) -> bool:
    """Whether draws [N, d] have this mean and covariance, within 4.5 standard errors of each entry."""
    sd = covariance.diagonal().sqrt()
    means = ((free.mean(dim=0) - mean).abs() < 4.5 * sd / N**0.5).all()
    error = ((covariance**2 + torch.outer(sd**2, sd**2)) / N).sqrt()
    return bool(means & ((torch.cov(free.T) - covariance).abs() < 4.5 * error).all())


@pytest.mark.parametrize("name", ["mala", "hmc"])
def test_the_law_of_the_free_entries_given_the_others_is_exact(name: str) -> None:
    images, mean, covariance = conditional()
    made = generate(
        run_of(exact(name, moves=10 if name == "mala" else 2)),
        N,
        start=images,
        given={"pixels": MASK},
        transitions=12,
        seed=0,
    )
    assert torch.equal(made.x[:, MASK], images[:, MASK]) and made.x.shape == (N, *SHAPE)
    assert made.mask is not None and torch.equal(made.mask, MASK) and "pixels" not in made.aux
    assert is_the_law(made.x[:, ~MASK], mean, covariance)


def test_pasting_back_after_adjusted_moves_of_all_x_has_another_law() -> None:
    images, mean, covariance = conditional()
    run, sampler = run_of(exact()), exact(moves=1, step_size=1.1)
    rng = torch.Generator().manual_seed(0)
    start = torch.where(MASK, images, torch.randn(images.shape, generator=rng))
    state = sampler.init(Point(x=start), rng)
    for _ in range(100):
        state, _ = sampler.step(run.view(), state)
        pasted = torch.where(MASK, images, state.point.x)
        state = SamplerState(point=state.point.replace(x=pasted), rng=rng, tuning=state.tuning)
    assert torch.equal(state.point.x[:, MASK], images[:, MASK])
    assert not is_the_law(state.point.x[:, ~MASK], mean, covariance)


def test_each_chain_keeps_the_pixels_of_its_own_image_in_every_batch() -> None:
    images = torch.randn(7, *SHAPE, generator=torch.Generator().manual_seed(1))
    run = run_of(exact(moves=2))
    run = replace(run, recipe=run.recipe.with_table("sample", batch_size=3))
    frames: list[Tensor] = []
    made = generate(run, 7, start=images, given={"pixels": MASK}, transitions=2, watch=lambda m: frames.append(m.x))
    assert torch.equal(made.x[:, MASK], images[:, MASK]) and not torch.equal(made.x, images)
    assert frames[0].shape == (3, *SHAPE) and torch.equal(frames[0][:, MASK], images[:3, MASK])


class Classes:
    """E(x, y) = ½|x − y|² with the energies of all labels at once."""

    abilities = frozenset({"levels.label"})

    def __call__(self, point: Point) -> Tensor:
        return (point.x.flatten(1) - 3 * point.aux["label"][:, None]).square().sum(dim=1)

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        every = torch.stack([self(point.with_aux(label=torch.full((len(point),), i))) for i in range(3)], dim=1)
        return {name: every if name == "levels.label" else self(point) for name in abilities}


def test_a_label_is_drawn_given_the_pixels() -> None:
    """Two entries near 3 say that the label is 1, and so where the others are."""
    run = run_of(Sequence([exact(moves=8), gibbs()]), energy=Classes(), coordinates=(Label(3),))
    images = torch.full((200, *SHAPE), 3.0)
    made = generate(run, 200, start=images, given={"pixels": MASK}, transitions=60, seed=2)
    assert (made.aux["label"] == 1).float().mean() > 0.9 and made.names[0].startswith("class ")
    held = generate(run, 4, start=images[:4], given={"pixels": MASK, "label": "all"}, transitions=2)
    assert held.aux["label"].tolist() == [0, 0, 1, 2] and held.names == ("class 0", "class 0", "class 1", "class 2")


class AtLevels:
    """The Gaussian, whatever the level, in units twice those of data."""

    def __call__(self, point: Point) -> Tensor:
        return Correlated()(point.replace(x=point.x / 2)) + 0 * point.aux["noise"]


def test_a_noise_level_is_held_at_that_of_data_and_augmentation_left_out() -> None:
    class Clean(Noise):
        def clean(self, point: Point) -> Point:
            return point.with_aux(noise=torch.zeros(len(point), dtype=torch.int64))

        def from_data(self, point: Point) -> Point:
            return point.replace(x=2 * point.x)

    noise: Any = Clean()
    parts = Sequence([Shift(), exact(moves=2), build("sampler", "gibbs", coordinate="noise")])
    run = run_of(parts, energy=AtLevels(), coordinates=(noise,))
    images = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    made = generate(run, 5, start=images, given={"pixels": MASK}, transitions=2)
    assert torch.equal(made.x[:, MASK], images[:, MASK]) and made.aux["noise"].tolist() == [0] * 5
    assert made.x.abs().max() < 20 and len(made.notes) == 2
    assert "Augmentation is left out" in made.notes[0] and "noise is held at that of data" in made.notes[1]
    with pytest.raises(RecipeError, match="noise must be that of data"):
        generate(run, 5, start=images, given={"pixels": MASK, "noise": "2"}, transitions=2)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(2, 2, dtype=torch.bool), "the mask is 2×2, but the run knows x of 2×3"),
        (torch.zeros(2, 3, dtype=torch.bool), "gives nothing"),
        (torch.ones(SHAPE, dtype=torch.bool), "gives everything"),
        (torch.ones(2, 3), "bool, True where an entry is given; found torch.float32"),
        ("gone.png", "cannot be read"),
    ],
)
def test_masks_that_cannot_be(mask: Any, words: str) -> None:
    with pytest.raises((DataError, RecipeError), match=words):
        generate(run_of(exact()), 2, start=torch.zeros(2, *SHAPE), given={"pixels": mask}, transitions=1)


def test_a_mask_is_a_picture_white_where_pixels_are_given(tmp_path: Path) -> None:
    Image.fromarray(np.uint8([[255, 0, 100], [0, 200, 127]])).save(tmp_path / "mask.png")
    made = generate(
        run_of(exact()), 1, start=torch.zeros(1, *SHAPE), given={"pixels": tmp_path / "mask.png"}, transitions=1
    )
    assert made.mask is not None and torch.equal(made.mask, MASK)


def test_what_cannot_be_given_pixels_is_refused() -> None:
    x = torch.zeros(2, *SHAPE)
    with pytest.raises(RecipeError, match="start=x"):
        generate(run_of(exact()), 2, given={"pixels": MASK}, transitions=1)
    with pytest.raises(CapabilityError, match="real-valued x; the data of this run are binary"):
        generate(run_of(exact(), x_values="binary"), 2, start=x, given={"pixels": MASK}, transitions=1)
    scaled = run_of(exact(scale=(1.0,) * 6))
    scaled = replace(scaled, recipe=scaled.recipe.with_part("sampler", Part("mala", {"scale": [1.0] * 6})))
    with pytest.raises(CapabilityError, match="mala has a step of its own for each entry"):
        generate(scaled, 2, start=x, given={"pixels": MASK}, transitions=1)
