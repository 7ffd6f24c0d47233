"""Whether the JSON of an evaluation, perhaps damaged or a stranger's, holds what it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBER = (int, float)

OF_AN_EVALUATION: Mapping[str, Any] = {
    "step": int, "seed": int, "n": int, "n_data": int, "weights": str, "sampling": str, "metrics": list,
    "failures": dict, "notes": (list, tuple), "seconds": NUMBER, "versions": dict,
}  # fmt: skip
OF_A_METRIC: Mapping[str, Any] = {
    "name": str, "settings": dict, "cite": str, "definition": str, "estimates": dict, "notes": (list, tuple),
    "seconds": NUMBER, "histograms": dict, "pictures": dict,
}  # fmt: skip
OF_AN_ESTIMATE: Mapping[str, Any] = {
    "value": NUMBER, "error": (*NUMBER, type(None)), "n": int, "better": str, "unit": str,
}  # fmt: skip
OF_A_HISTOGRAM: Mapping[str, Any] = {"edges": list, "counts": dict}


def check_json(raw: Mapping[str, Any]) -> None:
    """Raises KeyError or TypeError where something is missing or of another kind."""
    _check(raw, OF_AN_EVALUATION, "the evaluation")
    for metric in raw["metrics"]:
        _check(metric, OF_A_METRIC, "a metric")
        for name, estimate in metric["estimates"].items():
            _check(estimate, OF_AN_ESTIMATE, name)
        for title, histogram in metric["histograms"].items():
            _check_histogram(title, histogram)
        for file in metric["pictures"].values():
            if not isinstance(file, str):
                raise TypeError(f"the picture {file!r} is no file name")


def _check_histogram(title: str, histogram: Any) -> None:
    _check(histogram, OF_A_HISTOGRAM, title)
    edges = histogram["edges"]
    for values in (edges, *histogram["counts"].values()):
        if not isinstance(values, list) or not all(isinstance(value, NUMBER) for value in values):
            raise TypeError(f"{title} holds {values!r}, no list of numbers")
    if any(len(counts) != max(0, len(edges) - 1) for counts in histogram["counts"].values()):
        raise TypeError(f"{title} has {len(edges)} edges, and not one count between two of them")


def _check(found: Any, kinds: Mapping[str, Any], what: str) -> None:
    if not isinstance(found, dict):
        raise TypeError(f"{what} is {found!r}")
    for name, kind in kinds.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise TypeError(f"{name} of {what} is {found[name]!r}")
