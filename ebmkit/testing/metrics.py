"""What every metric promises: numbers with errors and a definition, the same from the same seed, nothing touched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from ebmkit.errors import CapabilityError, DataError
from ebmkit.evaluation.evaluate import evaluate
from ebmkit.evaluation.record import Judgement
from ebmkit.recipes.recipe import Part
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.models import MODELS, model_of
from ebmkit.training.checker.snapshots import changed, kept, listed, modes, of_module

N = 100
NO_NUMBER = "found no number"
"""How the evaluation refuses NaN."""
ADVICE = 'Draw from a stream of the evaluation: generator=subject.rng("NAME").'


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a metric found of a model, twice, and what that did to the model.

    Attributes:
        first: what it found.
        again: what it found the second time.
        written: what of the model is no longer as it was, "" where nothing is.
    """

    first: Judgement
    again: Judgement
    written: str


def judged(part: Examined) -> Judged:
    """Returns what a metric finds of the first model of the kit that it can judge.

    Raises:
        NotApplicable: there is none.
    """
    component = part.component
    return _judged(component.name, component.build, tuple(sorted(part.settings.items())))


@cache
def _judged(name: str, build: str, settings: tuple[tuple[str, Any], ...]) -> Judged:
    asked, reasons = Part(use=name, settings=dict(settings)), list[str]()
    for kind in MODELS:
        model = model_of(kind)
        if model is None:
            continue
        try:
            first = _asked(model, asked)
        except (CapabilityError, DataError) as error:
            if NO_NUMBER in str(error):
                raise
            reasons.append(str(error).split(". ")[0])
            continue
        before, mode = kept(of_module(model.energy)), modes(model.energy)
        again = _asked(model, asked)
        written = listed(changed(before, of_module(model.energy)))
        if not written and modes(model.energy) != mode:
            written = "its mode, or which weights require a gradient"
        return Judged(first=first, again=again, written=written)
    told = [reason for reason in reasons if f"Metric {name} needs" not in reason] or reasons
    raise NotApplicable(f"it can judge none of the models of the kit: {told[0]}")


def _asked(model: Any, part: Part) -> Judgement:
    return evaluate(model, part, n=N, n_data=N, transitions=2, seed=3).metrics[0]


def says_what_it_measured(part: Examined) -> None:
    """Raises CheckFailed where a number has no finite value, an error that is none, or no definition."""
    found = judged(part).first
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
    found = judged(part)
    if set(found.first.estimates) != set(found.again.estimates):
        raise CheckFailed("it found other numbers when it was asked again. Their names follow from model and settings.")
    for name, estimate in found.first.estimates.items():
        values = estimate.value, found.again.estimates[name].value
        if values[0] != values[1] and not all(math.isnan(value) for value in values):
            raise CheckFailed(f"'{name}' was {values[0]:.6g}, and {values[1]:.6g} from the same seed. {ADVICE}")


def leaves_the_model_alone(part: Examined) -> None:
    """Raises CheckFailed where weights or modes of the model are others afterwards."""
    written = judged(part).written
    if written:
        raise CheckFailed(f"the energy was changed: {written}. A metric looks: work on a copy.")


PROMISES = (
    Promise(name="numbers", text="numbers with an error, a count and a definition", look=says_what_it_measured),
    Promise(name="repeatable", text="the same seed gives the same numbers", look=is_repeatable),
    Promise(name="untouched", text="the model is as it was", look=leaves_the_model_alone),
)
"""Of every metric."""
