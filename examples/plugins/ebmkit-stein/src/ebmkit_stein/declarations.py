"""What this package offers to ebmkit, and what it can be set to. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from ebmkit import Component, Selection, short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class SteinConfig:
    """Fits the score of the model to data by the kernel Stein discrepancy; no chains are made.

    Attributes:
        weight: factor of the loss.
        length: c of the kernel (c² + ‖x − x'‖²)^β, data units: the distance at which data still tell of each other.
        exponent: β; between −1 and 0 the discrepancy also sees mass that runs away.
    """

    weight: Annotated[float, Ge(0)] = 1.0
    length: Annotated[float, Gt(0)] = 1.0
    exponent: Annotated[float, Gt(-1), Lt(0)] = -0.5


def refuse(config: SteinConfig, selection: Selection) -> str:
    """Returns why it cannot work in a run, "" where it can."""
    if selection.coordinates:
        return f"it compares scores of x alone, and this run has {', '.join(selection.coordinates)}: leave that out"
    if selection.temperature != 1:
        return (
            f"it fits p ∝ exp(−E), T = 1, and this run has T = {selection.temperature:g}: leave run.temperature unset"
        )
    return ""


COMPONENTS = (
    Component(
        kind="objective",
        name="stein-discrepancy",
        config=SteinConfig,
        build="ebmkit_stein.discrepancy:build_stein",
        summary="the kernel Stein discrepancy between data and model, without chains",
        cite="Alessandro Barp, François-Xavier Briol, Andrew B. Duncan, Mark Girolami, Lester Mackey (2019). Minimum "
        "Stein discrepancy estimators. NeurIPS. arXiv:1906.08283; Qiang Liu, Jason D. Lee, Michael I. Jordan (2016). "
        "A kernelized Stein discrepancy for goodness-of-fit tests. ICML. arXiv:1602.03253; Jackson Gorham, Lester "
        "Mackey (2017). Measuring sample quality with kernels. ICML. arXiv:1703.01717",
        negatives=False,
        refuse=refuse,
    ),
)

RECIPES = Path(__file__).parent / "recipes"
