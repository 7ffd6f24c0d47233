"""What this package offers to ebmkit, and what it can be set to. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Gt

from ebmkit import Component, SamplerTraits, short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class BarkerConfig:
    """Metropolis-adjusted moves whose length is drawn first; the gradient decides only the direction of each entry.

    Attributes:
        moves: moves per transition.
        step_size: standard deviation of the length of a move in each entry, data units; of the order of the narrowest
            standard deviation of x. An acceptance of 0.4 is best in many dimensions.
    """

    moves: Annotated[int, Gt(0)] = 20
    step_size: Annotated[float, Gt(0)] = 0.1


TRAITS = SamplerTraits(moves={"x"}, adjusted=True)

COMPONENTS = (
    Component(
        kind="sampler",
        name="barker",
        config=BarkerConfig,
        build="ebmkit_barker.barker:build_barker",
        summary="exact moves by the gradient that forgive a step size that is too long",
        cite="Samuel Livingstone, Giacomo Zanella (2022). The Barker proposal: combining robustness and efficiency in "
        "gradient-based MCMC. Journal of the Royal Statistical Society Series B. arXiv:1908.11812",
        traits=TRAITS,
    ),
)

RECIPES = Path(__file__).parent / "recipes"
