"""An idea that is not yet a package: one file with a new objective, used by name.

    ebmkit run --plugin examples/own_idea.py --objective margin --energy mlp --data toy:rings --set run.temperature=1
    ebmkit run --plugin examples/own_idea.py --objective margin+energy-l2 --set objective.margin.margin=2 --steps 100

A second --plugin adds a second file. From a program: ebmkit.register(component).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt
from torch import Tensor
from torch.nn import functional

from ebmkit import BuildContext, Component, Energy, Phases, Requires


@dataclass(frozen=True, kw_only=True, slots=True)
class MarginConfig:
    """A margin between data and chains.

    Attributes:
        margin: m, nats.
    """

    margin: Annotated[float, Gt(0)] = 1.0


class Margin:
    """mean max(0, m + E(x⁺) − E(x⁻)), nats: pairs that are m apart already teach nothing more.

    Row b of the positive is paired with row b of the negative, which is as good a pair as any.
    """

    requires = Requires()  # chains of the model; no tail, no reference rows, only energies

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def losses(self, energy: Energy, phases: Phases) -> Mapping[str, Tensor]:
        """Returns the hinge, and never moves a chain."""
        gap = phases.evaluate("positive") - phases.evaluate("negative")
        return {"hinge": functional.relu(self.margin + gap).mean()}


def build_margin(config: MarginConfig, context: BuildContext) -> Margin:
    """Builds the objective."""
    return Margin(config.margin)


COMPONENTS = (
    Component(
        kind="objective",
        name="margin",
        config=MarginConfig,
        build=f"{__name__}:build_margin",
        summary="a hinge on E⁺ − E⁻",
        cite="Yann LeCun, Sumit Chopra, Raia Hadsell, Marc'Aurelio Ranzato, Fu Jie Huang (2006). A tutorial on "
        "energy-based learning. Predicting Structured Data",
        gives=("objective.fit",),  # it moves the energy towards the data, so that nobody adds cd to it
    ),
)
