"""A recipe and an evaluation as flat names and values, as MLflow wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import ebmkit

LONGEST = 500


def parameters(recipe: ebmkit.Recipe) -> dict[str, str]:
    """Returns every setting of a recipe: {"sampler.mala.moves": "20", "run.steps": "500"}."""
    found = dict(_settings(recipe))
    return {name: (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") for name, text in found.items()}


def _settings(recipe: ebmkit.Recipe) -> Iterator[tuple[str, str]]:
    for table, parts in recipe.parts.items():
        yield table, "+".join(part.use for part in parts)
        twice = len({part.use for part in parts}) < len(parts)
        for index, part in enumerate(parts):
            for name, value in part.settings.items():
                yield f"{table}.{f'{index}.' if twice else ''}{part.use}.{name}", str(value)
    for table, settings in [*recipe.tables.items(), *((f"optim.{owner}", s) for owner, s in recipe.optim.items())]:
        for name, value in settings.items():
            yield f"{table}.{name}", str(value)


def numbers(found: ebmkit.Evaluation) -> dict[str, float]:
    """Returns each estimate of an evaluation by metric and name: {"eval/fid/FID": 12.3}."""
    return {
        plain(f"eval/{metric.name}/{name}"): estimate.value
        for metric in found.metrics
        for name, estimate in metric.estimates.items()
    }


def plain(name: str) -> str:
    """Returns a name of the characters that MLflow allows."""
    return re.sub(r"[^\w./ -]", "_", name, flags=re.ASCII)
