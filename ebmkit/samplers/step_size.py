"""Step sizes: where they start, which one each chain and entry has, and how they learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmkit.errors import CapabilityError
from ebmkit.ops.rows import rows_as
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerInfo, Tuning
from ebmkit.samplers.adaptation import Adaptation, adapt, build_adaptation
from ebmkit.samplers.declarations.steps import ScaledStepConfig


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepSize:
    """The step size of a sampler, which keeps it in its tuning under "step_size".

    Attributes:
        first: where it starts, data units.
        per: coordinate each value of which has its own; "" for one in all.
        n_values: how many values that coordinate has.
        scale: relative step of each entry [*event]; None where all are 1.
        rule: how training adapts it; None for not at all.
    """

    first: float
    per: str = ""
    n_values: int | None = None
    scale: Tensor | None = None
    rule: Adaptation | None = None

    def init(self, point: Point, tuning: Tuning | None) -> Tuning:
        """Returns the tuning that a sampler starts with: the given one, or the first step size in every place.

        Raises:
            CapabilityError: x is not real-valued, the point lacks the coordinate, or the given tuning has another
                number of step sizes.
        """
        if self.per and self.per not in point.aux:
            have = ", ".join(point.aux) or "no coordinate"
            raise CapabilityError(f"Step sizes go by '{self.per}', but the chains have: {have}.")
        return initial_tuning(tuning, self.first, self.n_values, point)

    def of(self, tuning: Tuning, point: Point) -> Tensor:
        """Returns the step sizes of the chains, data units, broadcast against x."""
        return step_sizes(tuning, point, self.per, self.scale)

    def adapted(self, tuning: Tuning, info: SamplerInfo) -> Tuning:
        """Returns the tuning after it has learnt from one transition."""
        return tuning if self.rule is None else adapt(self.rule, tuning, info)


def initial_tuning(tuning: Tuning | None, step_size: float, n_values: int | None, point: Point) -> Tuning:
    """Returns the tuning that a sampler starts with; see `StepSize.init`."""
    if not point.x.is_floating_point():
        raise CapabilityError(f"This sampler moves real-valued x, but x is {point.x.dtype}: take a discrete sampler.")
    shape = () if n_values is None else (n_values,)
    if not tuning or "step_size" not in tuning:
        first = torch.full(shape, step_size, dtype=point.x.dtype, device=point.x.device)
        return {"step_size": first, **{name: value.to(first.device) for name, value in (tuning or {}).items()}}
    found = tuple(tuning["step_size"].shape)
    if found != shape:
        raise CapabilityError(
            f"The tuning holds step sizes of shape {found}, but this sampler has {shape}: "
            "it was tuned with another step_size_per."
        )
    return tuning


def step_sizes(tuning: Tuning, point: Point, per: str = "", scale: Tensor | None = None) -> Tensor:
    """Returns the step sizes, data units, broadcast against x: by the value of a coordinate and by entry, if asked."""
    sizes: Tensor = tuning["step_size"].to(device=point.x.device, dtype=point.x.dtype)
    if per:
        sizes = rows_as(sizes[point.aux[per]], point.x)
    return sizes if scale is None else sizes * scale.to(sizes)


def tuned_step_sizes(tuning: Tuning) -> Iterator[Tensor]:
    """Yields every step size in a tuning, those of the parts of a sequence in their order."""
    for name, value in tuning.items():
        if isinstance(value, Mapping):
            yield from tuned_step_sizes(value)
        elif name == "step_size":
            yield torch.as_tensor(value)


def count_values(context: BuildContext, name: str) -> int:
    """Returns how many values a discrete coordinate of the run has.

    Raises:
        CapabilityError: the run has no such coordinate, or it is not discrete.
    """
    coordinate = context.coordinate(name)
    n_values = coordinate.n_values
    if n_values is None:
        raise CapabilityError(
            f"Coordinate '{name}' is not discrete: it does not say how many values it has (n_values)."
        )
    return int(n_values)


def build_scale(scale: tuple[float, ...], context: BuildContext) -> Tensor | None:
    """Returns the relative step of each entry as [*event], None where all are 1.

    Raises:
        CapabilityError: there are more or fewer of them than entries.
    """
    if not scale:
        return None
    n_entries = torch.Size(context.event_shape).numel()
    if len(scale) != n_entries:
        raise CapabilityError(
            f"scale has {len(scale)} entries, but a datum of shape {context.event_shape} has {n_entries}: one each."
        )
    return torch.tensor(scale, device=context.device, dtype=context.dtype).view(context.event_shape)


def build_steps(config: ScaledStepConfig, context: BuildContext) -> StepSize:
    """Returns the step size that a config asks for; CapabilityError where it names no discrete coordinate of a run."""
    per = config.step_size_per or ""
    return StepSize(
        first=config.step_size,
        per=per,
        n_values=count_values(context, per) if per else None,
        scale=build_scale(config.scale, context),
        rule=build_adaptation(config, per),
    )
