"""The one temperature of a run, p ∝ exp(−E/T): where it comes from, and who disagrees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ebmkit.recipes.resolver.vectors import are_vectors

TOLERANCE = 1e-6  # settings are rounded to 12 digits


def decided(
    asked: float | None,
    samplers: Sequence[tuple[str, object]],
    exact: Sequence[str],
    noised: Sequence[str],
    event_shape: tuple[int, ...] | None = None,
    *,
    chains: bool = True,
) -> tuple[float, str]:
    """Returns the temperature and where it comes from.

    Args:
        asked: `run.temperature`, where it is set.
        samplers: name and config, in order.
        exact: names of the samplers that are exact.
        noised: names of the coordinates that noise x.
        event_shape: of the data, where it is known; the usual settings of samplers are for images.
        chains: an objective needs chains. Without any, the usual temperature of a sampler counts for nothing.
    """
    if asked is not None:
        return float(asked), "run.temperature"
    if noised:
        return 1.0, f"coordinate {noised[0]} noises x"
    if exact:
        return 1.0, f"sampler {exact[0]} is exact"
    for name, config in samplers:
        if (value := getattr(config, "implied_temperature", None)) is not None:
            return float(value), f"σ²/2η of sampler {name}"
    if not chains:
        return 1.0, "no objective needs chains"
    if are_vectors(event_shape):
        return 1.0, "the data are not images"
    for name, config in samplers:
        if (value := getattr(config, "usual_temperature", None)) is not None:
            return float(value), f"σ²/2η of sampler {name}"
    return 1.0, "no sampler says otherwise"


def disagreement(temperature: float, origin: str, samplers: Iterable[tuple[str, object]]) -> str:
    """Returns what to say of the first sampler whose settings mean another temperature, "" where there is none."""
    for name, config in samplers:
        implied = getattr(config, "implied_temperature", None)
        if implied is not None and abs(implied - temperature) > TOLERANCE * temperature:
            return (
                f"A run has one temperature, here {temperature:g} ({origin}); the settings of sampler {name} mean "
                f"{implied:g}. Leave one of them unset, or set run.temperature = {implied:g} for every part."
            )
    return ""
