"""What core's buffers are called and can be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt, Interval

from ebmkit.plugins.component import Component, Selection
from ebmkit.plugins.short_repr import short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayConfig:
    """Persistent chains.

    Attributes:
        capacity: rows.
        reinit: probability that a drawn chain restarts from the prior.
        storage: of real-valued x; uint8 rounds to 256 values of the value range. Discrete x is stored as the index of
            each value.
        place: where rows are kept.
    """

    capacity: Annotated[int, Gt(0)] = 10_000
    reinit: Annotated[float, Interval(ge=0, le=1)] = 0.001
    storage: Literal["float", "uint8"] = "float"
    place: Literal["device", "host"] = "device"


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class NoBufferConfig:
    """Fresh chains at every step. Nothing to set."""


def storage_refused(config: ReplayConfig, selection: Selection) -> str:
    """Returns why rows cannot be stored as a config says, or ""."""
    if config.storage == "uint8" and "sampler.exact" in selection.capabilities:
        return 'storage = "uint8" rounds x, and an exact sampler would no longer be exact. Set storage = "float".'
    if config.storage == "uint8" and selection.noised:
        return 'storage = "uint8" needs x in its value range, but a coordinate noises it. Set storage = "float".'
    return ""


COMPONENTS = (
    Component(
        kind="buffer",
        name="replay",
        config=ReplayConfig,
        build="ebmkit.buffers.replay:build_replay",
        summary="persistent chains, each with its coordinates",
        cite=(
            "Tijmen Tieleman (2008). Training restricted Boltzmann machines using approximations to the likelihood "
            "gradient. ICML; Yilun Du, Igor Mordatch (2019). Implicit generation and modeling with energy-based "
            "models. NeurIPS. arXiv:1903.08689"
        ),
        gives=("buffer.rows",),
        refuse=storage_refused,
    ),
    Component(
        kind="buffer",
        name="none",
        config=NoBufferConfig,
        build="ebmkit.buffers.none:build_none",
        summary="fresh chains at every step (short-run)",
        cite=(
            "Erik Nijkamp, Mitch Hill, Song-Chun Zhu, Ying Nian Wu (2019). Learning non-convergent non-persistent "
            "short-run MCMC toward energy-based model. NeurIPS. arXiv:1904.09770"
        ),
    ),
)
