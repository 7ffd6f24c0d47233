"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Interval

from ebmkit import Component, short_repr

CITE = (
    "Tobias Schröder, Zijing Ou, Jen Ning Lim, Yingzhen Li, Sebastian J. Vollmer, Andrew B. Duncan (2023). Energy "
    "discrepancies: a score-independent loss for energy-based models. NeurIPS. arXiv:2307.06431"
)

USUAL_SIGMA, USUAL_FLIP = 0.5, 0.1


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyDiscrepancyConfig:
    """mean log(w/M + (1/M) Σ_j exp((E(x) − E(x_j))/T)): x_j is x perturbed, and perturbed once more, M times.

    Attributes:
        sigma: √t, s.d. of each of the two Gaussian perturbations of real-valued x, data units; unset, .5. It should
            reach from one mode of the data to the next: those that it does not join keep a wrong mass.
        flip: probability with which each perturbation flips an entry of binary x; unset, .1.
        n_perturbed: M, perturbed points of each datum; published are 4 to 32.
        stabiliser: w. Above 0 the loss has a lower bound, log(w/M), and points that are far too high in energy teach
            nothing; 0 leaves it out.
    """

    sigma: Annotated[float, Gt(0)] | None = None
    flip: Annotated[float, Interval(gt=0, le=0.5)] | None = None
    n_perturbed: Annotated[int, Gt(0)] = 16
    stabiliser: Annotated[float, Ge(0)] = 1.0


COMPONENTS: tuple[Component, ...] = (
    Component(
        kind="objective",
        name="energy-discrepancy",
        config=EnergyDiscrepancyConfig,
        build="ebmkit_energy_discrepancy.objective:build_energy_discrepancy",
        summary="compares data with perturbed data by energies alone: no chains, no gradient in x; binary x by flips",
        cite=CITE,
        aliases=("ed",),
        gives=("objective.fit",),
        negatives=False,
    ),
)

RECIPES = Path(__file__).parent / "recipes"
