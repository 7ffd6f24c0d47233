"""The sampler that `[sample]` names: composed with others, given something, and without chains in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from ebmkit import CapabilityError, Point, Recipe
from ebmkit.coordinates.label import Label
from ebmkit.data.spec import DataSpec
from ebmkit.recipes.recipe import Part
from ebmkit.samplers.none import NoSampler
from ebmkit.sampling.compose import compose
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model


class Wells(nn.Module):
    """A Gaussian well, of s.d. 1 under label 0 and of s.d. .01 under label 1."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(1))

    def forward(self, point: Point) -> torch.Tensor:
        sd = torch.tensor([1.0, 0.01])[point.aux["label"]] if "label" in point.aux else torch.ones(len(point))
        return point.x.square().sum(dim=1) / (2 * sd**2) + self.offset


def without_chains(sampler: str | None, *coordinates: Any) -> Model:
    sample = {"transitions": 30, **({} if sampler is None else {"sampler": sampler})}
    return Model(
        recipe=Recipe(
            parts={"energy": (Part("mlp"),)},
            tables={"run": {"temperature": 1.0, "precision": "fp32"}, "sample": sample},
        ),
        energy=Wells(), sampler=NoSampler(), objectives={}, coordinates=coordinates,
        data=DataSpec(event_shape=(2,), value_range=None, n_classes=2, class_names=(), n_data=1),
        device=torch.device("cpu"),
    )  # fmt: skip


def test_models_without_chains_compose() -> None:
    for name in (None, "mala"):
        assert compose([without_chains(name)] * 2, "and").slowed == ()


def test_the_sampler_that_is_named_is_the_one_that_is_slowed() -> None:
    whole = compose([without_chains("underdamped")] * 2, "and")
    assert whole.slowed == ("underdamped",) and whole.divisor == 2
    assert whole.model.sampler.config.step_size == 0.05  # type: ignore[attr-defined]
    sgld = compose([without_chains("sgld")] * 2, "and").model
    x = generate(sgld, 2000, transitions=300, seed=0).x
    assert abs(float(x.var()) - 0.5) < 0.05, "the product is sampled, with steps that were divided"


def test_steps_are_adapted_on_chains_that_hold_what_is_given() -> None:
    drawn = generate(without_chains("mala", Label(2)), 64, given={"label": "1"}, seed=0)
    assert drawn.accept_rate is not None and drawn.accept_rate > 0.3
    assert float(drawn.x.std()) < 0.02, "the narrow well of label 1"


@pytest.mark.parametrize(
    ("name", "said"), [("augment", "no x by the energy"), ("gibbs", "discrete"), ("gibbs-with-gradients", "discrete x")]
)
def test_a_sampler_that_cannot_draw_these_samples_is_refused(name: str, said: str) -> None:
    model = without_chains(name)
    if name == "augment":
        model = replace(model, data=replace(model.data, event_shape=(1, 8, 8), value_range=(0.0, 1.0)))
    with pytest.raises(CapabilityError, match=said):
        generate(model, 4)
