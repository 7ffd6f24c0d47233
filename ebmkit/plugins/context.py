"""What only the run knows, handed to `build`. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ebmkit.errors import CapabilityError
from ebmkit.plugins.component import Selection
from ebmkit.plugins.scale import Scale

if TYPE_CHECKING:
    import torch

    from ebmkit.point import XValues
    from ebmkit.protocols.coordinate import Coordinate
    from ebmkit.protocols.sampler import Sampler


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What only the run knows, handed to `build`.

    Attributes:
        event_shape: shape of one datum.
        value_range: (lowest, highest) value of x, None where x is unbounded.
        coordinates: the built coordinates, in order.
        x_values: "real", or of discrete x "binary" (lowest or highest value) or "one-hot" (along the last axis).
        scale: mean and s.d. of each entry of x where it has no range and is far from a standard normal, else None.
        sample: returns n training data [n, *event], in the units of chains and on the device; None where a model is
            loaded without its data. What a part makes of them it keeps in buffers, so that its checkpoint holds it.
        n_classes: number of label values, 0 without labels.
        n_data: number of training data.
        batch_size: data in a training batch.
        device: torch device.
        dtype: of chain states and master weights.
        temperature: of the run.
        total_steps: training steps of the run, or of the stage of it for which the part is built.
        seed: for this part's initialisation, and for nothing else.
        children: built parts of a sequence.
        inner: for a wrapper, the energy it wraps.
        make_inner: for a wrapper, builds another energy of an event shape (and index, for its own initialisation), with
            these settings of the backbone changed.
    """

    event_shape: tuple[int, ...] = (2,)
    value_range: tuple[float, float] | None = None
    x_values: XValues = "real"
    scale: Scale | None = None
    coordinates: tuple[Coordinate, ...] = ()
    sample: Callable[[int], torch.Tensor] | None = None
    n_classes: int = 0
    n_data: int = 0
    batch_size: int = 64
    device: torch.device | str = "cpu"
    dtype: torch.dtype | None = None
    temperature: float = 1.0
    total_steps: int = 1
    seed: int = 0
    children: tuple[Sampler, ...] = ()
    inner: Any = None
    make_inner: Callable[..., Any] | None = None

    def replace(self, **changes: Any) -> BuildContext:
        """Returns the context with some fields changed."""
        return replace(self, **changes)

    def selection(self) -> Selection:
        """Returns what the rules of declarations may know, as far as built parts tell it."""
        return Selection(
            temperature=self.temperature,
            coordinates=tuple(coordinate.name for coordinate in self.coordinates),
            noised=tuple(coordinate.name for coordinate in self.coordinates if coordinate.noises_x),
            discrete=tuple(coordinate.name for coordinate in self.coordinates if coordinate.n_values),
            event_shape=tuple(self.event_shape),
        )

    @property
    def x_is_noised(self) -> bool:
        """Whether a coordinate noises x, so that the value range of the data does not bound it."""
        return any(coordinate.noises_x for coordinate in self.coordinates)

    def coordinate(self, name: str) -> Coordinate:
        """Returns a built coordinate by name; raises CapabilityError where the run has none of it."""
        for coordinate in self.coordinates:
            if coordinate.name == name:
                return coordinate
        have = ", ".join(c.name for c in self.coordinates) or "none"
        raise CapabilityError(f"Coordinate '{name}' is needed; the run has: {have}. Add --coordinate {name}.")
