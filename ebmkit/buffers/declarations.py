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
        start: where a row starts its first chain: at the prior, or at a datum of the step that first draws it, with
            its coordinates. At data, chains of an energy that already fits them have nothing to find; reference rows
            that were never moved are still as drawn from the prior.
        storage: of real-valued x; uint8 rounds to 256 values of the value range. Discrete x is stored as the index of
            each value.
        place: where rows are kept.
    """

    capacity: Annotated[int, Gt(0)] = 10_000
    reinit: Annotated[float, Interval(ge=0, le=1)] = 0.001
    start: Literal["prior", "data"] = "prior"
    storage: Literal["float", "uint8"] = "float"
    place: Literal["device", "host"] = "device"


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class NoBufferConfig:
    """Fresh chains at every step. Nothing to set."""


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class DataBufferConfig:
    """Chains that start at the data of the step, with their coordinates: CD-k, k = `moves` of the sampler.

    Its bias is that of few moves: modes far from all data are never seen, and may have any mass. No chain has seen
    noise either, so samples from noise need more than these moves, and say so.

    Attributes:
        reinit: probability that a chain starts from the prior instead.
    """

    reinit: Annotated[float, Interval(ge=0, le=1)] = 0.0


AT_DATA = "buffer.starts-at-data"
"""The word of a buffer none of whose chains starts from noise."""


def storage_refused(config: ReplayConfig, selection: Selection) -> str:
    """Returns why rows cannot be stored as a config says, or ""."""
    if config.storage == "uint8" and "sampler.exact" in selection.capabilities:
        return 'storage = "uint8" rounds x, and an exact sampler would no longer be exact. Set storage = "float".'
    if config.storage == "uint8" and selection.noised:
        return 'storage = "uint8" needs x in its value range, but a coordinate noises it. Set storage = "float".'
    return ""


def _data_gives(config: DataBufferConfig, selection: Selection) -> tuple[str, ...]:
    return () if config.reinit else (AT_DATA,)


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
        summary="fresh chains at every step (short-run); biased, unless their moves take them far from the prior",
        cite=(
            "Erik Nijkamp, Mitch Hill, Song-Chun Zhu, Ying Nian Wu (2019). Learning non-convergent non-persistent "
            "short-run MCMC toward energy-based model. NeurIPS. arXiv:1904.09770"
        ),
    ),
    Component(
        kind="buffer",
        name="data",
        config=DataBufferConfig,
        build="ebmkit.buffers.data:build_data",
        summary="chains start at the data of the step (CD-k); biased, modes far from all data are never seen",
        cite=(
            "Geoffrey E. Hinton (2002). Training products of experts by minimizing contrastive divergence. Neural "
            "Computation"
        ),
        aliases=("cd-k", "cdk"),
        gives=_data_gives,
    ),
)
