"""What core's coordinates are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from ebmkit.plugins.component import Component, Need, Selection
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class LabelConfig:
    """The class label of a chain. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MomentumConfig:
    """The momentum of a chain. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicasConfig:
    """What tempering keeps of a chain beside it.

    Attributes:
        n_temperatures: R, as the sampler has it; R − 1 replicas are stored with each row.
    """

    n_temperatures: Annotated[int, Ge(2)] = 6


def _replicas_gives(config: ReplicasConfig, selection: Selection) -> tuple[str, ...]:
    return (f"point.replicas-of-{config.n_temperatures}",)


COMPONENTS = (
    Component(
        kind="coordinate",
        name="label",
        config=LabelConfig,
        build="ebmkit.coordinates.label:build_label",
        summary="class label, stored beside each chain",
        needs=(Need("energy.labels", config={"labels": True}),),
        gives=("point.discrete",),
    ),
    Component(
        kind="coordinate",
        name="momentum",
        config=MomentumConfig,
        build="ebmkit.coordinates.momentum:build_momentum",
        summary="momentum of an underdamped sampler, stored beside each chain",
    ),
    Component(
        kind="coordinate",
        name="replicas",
        config=ReplicasConfig,
        build="ebmkit.coordinates.replicas:build_replicas",
        summary="hotter replicas of a chain, stored beside it",
        gives=_replicas_gives,
    ),
)
