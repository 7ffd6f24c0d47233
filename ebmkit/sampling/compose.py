"""Runs composed when they are sampled: all of them, any of them, one but not the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose, isfinite
from textwrap import shorten
from typing import Any, Literal

from torch import Tensor, nn

from ebmkit.energies.compose import Composition, mixture, product
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy, abilities_of, levels_of, values_of
from ebmkit.protocols.guided import guidance_strength
from ebmkit.recipes.recipe import to_toml
from ebmkit.sampling.given import LARGEST, latent_direction
from ebmkit.sampling.model import Model
from ebmkit.sampling.named import with_named_sampler
from ebmkit.sampling.variants import slower

Op = Literal["and", "or", "not"]
USUAL_WEIGHT: Mapping[str, float] = {"and": 1.0, "or": 0.0, "not": 0.001}
"""Of each further model, where none is given; 0.001 is that of the published code (Du et al., 2021)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """Several runs as one.

    Attributes:
        model: to be sampled: the composed energy, with the sampler, tuning and `[sample]` of the first model.
        op: how the energies are composed.
        models: what was composed.
        weights: one for each model, as the energy takes them: of a sum, or log-weights of a mixture.
        divisor: what the steps of unadjusted samplers were divided by.
        slowed: names of these samplers.
    """

    model: Model
    op: Op
    models: tuple[Model, ...]
    weights: tuple[float, ...]
    divisor: float = 1.0
    slowed: tuple[str, ...] = ()

    def formula(self) -> str:
        """Returns the energy, in terms of the directories of the models."""
        names = [f"E({model.name})" for model in self.models]
        if self.op == "or":
            shifts = ["" if w == 0 else f"{'+' if w > 0 else '−'} {abs(w):g}" for w in self.weights]
            terms = [f"exp(−{name}/T {shift}".rstrip() + ")" for name, shift in zip(names, shifts, strict=True)]
            return f"−T log({' + '.join(terms)})"
        factors = ["" if abs(w) == 1 else f"{abs(w):g}·" for w in self.weights]
        signs = ["−" if w < 0 else "+" for w in self.weights]
        text = " ".join(f"{s} {f}{name}" for s, f, name in zip(signs, factors, names, strict=True))
        return text.removeprefix("+ ")

    def as_json(self) -> dict[str, Any]:
        """Returns what was composed, and how, as JSON values."""
        models = [
            {"run": str(model.name), "step": model.step, "weight": weight, "recipe": to_toml(model.recipe)}
            for model, weight in zip(self.models, self.weights, strict=True)
        ]
        return {"op": self.op, "energy": self.formula(), "step_divided_by": self.divisor, "runs": models}

    def notes(self) -> list[str]:
        """Returns what a person should know of it, a sentence each."""
        temperature = self.model.temperature
        found = [f"E = {self.formula()} at T = {temperature:g}"]
        if self.slowed:
            found.append(
                f"step of {' and '.join(self.slowed)} divided by {self.divisor:g}, the sum of the weights, as E is "
                "steeper; T is kept"
            )
        for model in self.models[1:]:
            if self.op != "or" and not _same(model.temperature, temperature):
                found.append(
                    f"{model.name} was trained at T = {model.temperature:g}: its density counts with the power "
                    f"{model.temperature / temperature:g}; times a weight of {temperature / model.temperature:g}, 1"
                )
        return found


def compose(
    models: Sequence[Model],
    op: Op = "and",
    weights: Sequence[float] = (),
    *,
    latent: str | None = None,
    strength: float | None = None,
) -> Composed:
    """Composes the energies of several models; none of them is changed.

    - "and": E₁ + Σ wᵢEᵢ, the product of the densities.
    - "or": −T log(exp(−E₁/T) + Σ exp(wᵢ − Eᵢ/T)), the mixture of the unnormalised densities, at their one temperature.
    - "not": E₁ − Σ wᵢEᵢ.

    A sum of energies is steeper than one of them. Adjusted samplers notice and reject, so that nothing needs to be done
    for them; the step of unadjusted ones is divided by Σ|wᵢ| where that is above 1: by the number of models where all
    weights are 1. Their noise is divided by its root, so that T stays what it is; the published code keeps the noise,
    and so samples the sum at a temperature higher by that factor. At T = 5e-9 this is no difference to be seen.

    Args:
        models: the first one gives the sampler and everything else.
        op: how.
        weights: of the second model, the third and so on; those left out are 1, 0 for "or", 0.001 for "not".
        latent: what `--given latent=…` says; each run that has a latent is conditioned by its own encoder.
        strength: of it, β in nats.

    Raises:
        RecipeError: one run alone, too many weights or one that is not finite, or a strength of nothing.
        CapabilityError: the runs differ in shape, value range or coordinates of their points, or for "or" in
            temperature; a latent is given and none has one.

    Source: Du, Li, Mordatch, NeurIPS 2020; Du, Li, Tenenbaum, Mordatch, ICML 2021. There "or" has 1/T = 100.

    >>> compose([], "and")
    Traceback (most recent call last):
    ebmkit.errors.RecipeError: Composing needs two runs or more, found 0.
    """
    if strength is not None and latent is None:
        raise RecipeError("--given-strength weighs a given latent: add --given latent=….")
    first, values = _checked(models, op, weights)
    energies = [_conditioned(model, latent, strength) for model in models]
    if latent is not None and not any(isinstance(energy, Conditioned) for energy in energies):
        latent_direction(first, latent, strength)  # says why there is none
    energy: Composition
    if op == "or":
        energy = mixture(*energies, log_weights=values, temperature=first.temperature)
        return Composed(
            model=with_named_sampler(replace(first, energy=energy)), op=op, models=tuple(models), weights=values
        )
    energy, divisor = product(*energies, weights=values), max(1.0, sum(map(abs, values)))
    whole, slowed = slower(with_named_sampler(replace(first, energy=energy)), divisor)
    return Composed(
        model=whole, op=op, models=tuple(models), weights=values, divisor=divisor if slowed else 1.0, slowed=slowed
    )


class Conditioned(nn.Module):
    """An energy given a latent, or the value of another coordinate: every point that it sees holds it."""

    value: Tensor

    def __init__(self, inner: Energy, value: Tensor, name: str = "latent") -> None:
        super().__init__()
        self.inner, self.name = inner, name
        self.abilities = abilities_of(inner) - {levels_of(name)}
        self.register_buffer("value", value, persistent=False)

    def evaluate(self, point: Point, *abilities: str) -> Mapping[str, Tensor]:
        """Returns what the energy says of the points that hold it."""
        rows = self.value.expand(point.x.shape[0], *self.value.shape)
        return values_of(self.inner, point.with_aux(**{self.name: rows}), *abilities)

    @property
    def guidance_strength(self) -> float | None:
        """β of the latent that it is given, nats."""
        return guidance_strength(self.inner)

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats."""
        return self.evaluate(point, "energy")["energy"]


def _checked(models: Sequence[Model], op: str, weights: Sequence[float]) -> tuple[Model, tuple[float, ...]]:
    """Returns the first model, and the weights of all, as the energy takes them."""
    if op not in USUAL_WEIGHT:
        raise RecipeError(
            f"--op {op} is unknown: and (all of them), or (any of them), not (the first, not the others)."
        )
    if len(models) < 2:
        raise RecipeError(f"Composing needs two runs or more, found {len(models)}.")
    if len(weights) > len(models) - 1:
        further = f"{len(models) - 1} further run{'' if len(models) == 2 else 's'}"
        raise RecipeError(
            f"{len(weights)} weights (--weight) were given for {further} (--with): one each, in their order. The first "
            "run counts as it is."
        )
    for weight in weights:
        if not isfinite(weight) or abs(weight) >= LARGEST:
            raise RecipeError(f"--weight {weight:g}: a finite number is needed, below {LARGEST:g} in size.")
    first = models[0]
    for other in models[1:]:
        _check_alike(first, other, op)
    values = [*weights, *[USUAL_WEIGHT[op]] * (len(models) - 1 - len(weights))]
    return first, (0.0 if op == "or" else 1.0, *(-w if op == "not" else w for w in values))


def _check_alike(first: Model, other: Model, op: str) -> None:
    """Raises CapabilityError where the points of two runs are not of one kind, or their densities do not mix."""
    differences: tuple[tuple[str, Any, Any], ...] = (
        ("the shape of x", first.data.event_shape, other.data.event_shape),
        ("the value range of x", first.data.value_range or "unbounded", other.data.value_range or "unbounded"),
        ("the values of x", first.data.x_values, other.data.x_values),
        ("the coordinates", _coordinates(first), _coordinates(other)),
    )
    for what, here, there in differences:
        if here != there:
            mine, its = _differing(dict(here), dict(there)) if what == "the coordinates" else (here, there)
            raise CapabilityError(
                f"{first.name} and {other.name} cannot be composed, as their points differ in {what}: {mine} "
                f"and {its}. Compose runs of points of one kind."
            )
    temperature, other_one = first.temperature, other.temperature
    if op == "or" and not _same(temperature, other_one):
        raise CapabilityError(
            f"--op or mixes densities p ∝ exp(−E/T) at one temperature, but {first.name} has T = {temperature:g} "
            f"and {other.name} T = {other_one:g}. Train one of them anew with the other's run.temperature."
        )


def _coordinates(model: Model) -> list[tuple[str, list[str]]]:
    """Returns the coordinates of a model, in order, with their numbers of values and settings as text."""
    counts = {c.name: c.n_values for c in model.coordinates}
    values = {name: [f"{n} values"] for name, n in counts.items() if n}
    return [
        (part.use, [*values.get(part.use, []), *(f"{key} = {value}" for key, value in sorted(part.settings.items()))])
        for part in model.recipe.parts.get("coordinate", ())
    ]


def _differing(here: Mapping[str, list[str]], there: Mapping[str, list[str]]) -> tuple[str, str]:
    """Returns as text, at most 50 characters each, what the coordinates of one run and of another do not share."""
    same = {name for name in here if here[name] == there.get(name)} if here != there else set()  # else their order

    def told(mine: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> str:
        own = {name: [text for text in of if text not in other.get(name, ())] for name, of in mine.items()}
        parts = [f"{name} ({', '.join(of)})" if of else name for name, of in own.items() if name not in same]
        return shorten(", ".join(parts) or "none", 50, placeholder=" …")

    return told(here, there), told(there, here)


def _conditioned(model: Model, latent: str | None, strength: float | None) -> Any:
    if latent is None or "latent" not in abilities_of(model.energy):
        return model.energy
    return Conditioned(model.energy, latent_direction(model, latent, strength))


def _same(first: float, second: float) -> bool:
    return isclose(first, second, rel_tol=1e-6)
