"""What every metric promises: numbers with errors and a definition, the same from the same seed, nothing touched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.evaluation.evaluate import evaluate
from ebmkit.recipes.recipe import Part
from ebmkit.runs.fit import fit
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.snapshots import changed, kept, listed, modes, of_module

N = 200
NO_NUMBER = "found no number"
"""How the evaluation refuses NaN."""
ADVICE = 'Draw from a stream of the evaluation: generator=subject.rng("NAME").'


@cache
def _models() -> Mapping[str, Any]:
    """Returns models of points of the plane and of small grey images, with labels, after two training steps."""
    rng, y = seeded(70), torch.arange(2 * N) % 4
    data = {"plane": torch.randn(2 * N, 2, generator=rng), "grey": torch.rand(2 * N, 1, 28, 28, generator=rng)}
    return {
        name: fit(
            "mlp", (x, y), steps=2, batch_size=16, sampler="mala", coordinate="label" if name == "grey" else None,
            device="cpu", progress=False,
        )
        for name, x in data.items()
    }  # fmt: skip


def judged(part: Examined, model: Any) -> Any:
    """Returns what a metric found of a model."""
    asked = Part(use=part.component.name, settings=dict(part.settings))
    return evaluate(model, asked, n=N, n_data=N, transitions=2, seed=3).metrics[0]


def _suited(part: Examined) -> tuple[Any, Any]:
    """Returns a model that the metric can judge, and what it found; raises NotApplicable where there is none."""
    reasons = []
    for model in _models().values():
        try:
            return model, judged(part, model)
        except (CapabilityError, DataError, RecipeError) as error:
            if NO_NUMBER in str(error):
                raise
            reasons.append(str(error).split(". ")[0])
    raise NotApplicable(f"it can judge none of the models of the kit: {reasons[-1]}")


def says_what_it_measured(part: Examined) -> None:
    """Raises CheckFailed where a number has no finite value, an error that is none, or no definition."""
    _, found = _suited(part)
    if len(found.definition.split()) < 4:
        raise CheckFailed(f"its definition is '{found.definition}'. Say in one sentence what was computed, of what.")
    if not found.estimates:
        raise CheckFailed("it found no number. Return at least one Estimate.")
    for name, estimate in found.estimates.items():
        if estimate.error is not None and not estimate.error >= 0:
            raise CheckFailed(
                f"the error of '{name}' is {estimate.error}. It is one standard error; None has a reason."
            )
        if estimate.n < 1:
            raise CheckFailed(f"'{name}' rests on n = {estimate.n}. It is the number of samples or data behind it.")


def is_repeatable(part: Examined) -> None:
    """Raises CheckFailed where the same seed gives other numbers.

    What a metric draws from torch's global stream follows from the seed, too: the evaluation sees to that.
    """
    model, first = _suited(part)
    again = judged(part, model)
    for name, estimate in first.estimates.items():
        values = estimate.value, again.estimates[name].value
        if values[0] != values[1] and not all(math.isnan(value) for value in values):
            raise CheckFailed(f"'{name}' was {values[0]:.6g}, and {values[1]:.6g} from the same seed. {ADVICE}")


def leaves_the_model_alone(part: Examined) -> None:
    """Raises CheckFailed where weights or modes of the model are others afterwards."""
    model, _ = _suited(part)
    before, mode = kept(of_module(model.energy)), modes(model.energy)
    judged(part, model)
    written = changed(before, of_module(model.energy))
    if written or modes(model.energy) != mode:
        what = listed(written) if written else "its mode, or which weights require a gradient"
        raise CheckFailed(f"the energy was changed: {what}. A metric looks: work on a copy.")


PROMISES = (
    Promise(name="numbers", text="numbers with an error, a count and a definition", look=says_what_it_measured),
    Promise(name="repeatable", text="the same seed gives the same numbers", look=is_repeatable),
    Promise(name="untouched", text="the model is as it was", look=leaves_the_model_alone),
)
"""Of every metric."""
