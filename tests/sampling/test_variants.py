"""A run's sampler with smaller steps: those of its unadjusted parts, at the same temperature."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.data.spec import DataSpec
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.samplers.sequence import Sequence
from ebmkit.sampling.model import Model
from ebmkit.sampling.variants import slower


def model(*names: str, tuning: Any = None) -> Model:
    samplers = [build("sampler", name) for name in names]
    data = DataSpec(event_shape=(2,), value_range=None, n_classes=0, class_names=(), n_data=1)
    whole: Any = dict(energy=SimpleNamespace(), objectives={}, coordinates=(), data=data, device=torch.device("cpu"))
    return Model(
        recipe=Recipe(parts={"sampler": tuple(Part(name) for name in names)}),
        sampler=samplers[0] if len(names) == 1 else Sequence(samplers),
        tuning=tuning or {},
        **whole,
    )


def test_the_step_of_one_is_divided_and_what_was_tuned_with_it() -> None:
    found, names = slower(model("underdamped", tuning={"step_size": torch.tensor(0.4)}), 4.0)
    sampler: Any = found.sampler
    assert names == ("underdamped",) and sampler.config.step_size == pytest.approx(0.025)
    assert found.tuning["step_size"] == pytest.approx(0.1)


def test_adjusted_parts_keep_their_steps() -> None:
    tuning = {"0": {}, "1": {"step_size": torch.tensor(0.4)}, "2": {"step_size": torch.tensor(0.8)}}
    before = model("sgld", "mala", "underdamped", tuning=tuning)
    found, names = slower(before, 4.0)
    children: Any = found.sampler.children  # type: ignore[attr-defined]
    assert names == ("sgld", "underdamped") and children[1] is before.sampler.children[1]  # type: ignore[attr-defined]
    assert (children[0].step_size, children[0].noise) == (0.005 / 4, pytest.approx(0.05))
    assert [found.tuning[i]["step_size"].item() for i in "12"] == pytest.approx([0.4, 0.2])


@pytest.mark.parametrize(("names", "divisor"), [(("mala",), 4.0), (("sgld", "mala"), 1.0)])
def test_where_nothing_changes_the_run_is_the_same(names: tuple[str, ...], divisor: float) -> None:
    before = model(*names)
    assert slower(before, divisor) == (before, ())
