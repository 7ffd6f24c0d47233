"""What a model needs to know of its data, kept with every checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod

from pydantic import TypeAdapter, ValidationError

from ebmkit.data.scale import measured
from ebmkit.errors import CheckpointError
from ebmkit.plugins.scale import Scale
from ebmkit.point import XValues
from ebmkit.protocols.dataset import Dataset

MOST_ENTRIES = 2**28
"""Of one datum."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """What a model needs to know of its data: enough to load a run where the data are not at hand.

    Attributes:
        event_shape: of one datum.
        value_range: of x, None where it is unbounded.
        n_classes: label values, 0 without labels.
        class_names: their names, perhaps empty.
        n_data: training data.
        x_values: "real", or of discrete x "binary" or "one-hot".
        scale: of x without a range, where it is far from that of a standard normal.
    """

    event_shape: tuple[int, ...]
    value_range: tuple[float, float] | None
    n_classes: int
    class_names: tuple[str, ...]
    n_data: int
    x_values: XValues = "real"
    scale: Scale | None = None

    @classmethod
    def of(cls, dataset: Dataset) -> DataSpec:
        """Returns what a built data set says of itself."""
        return cls(
            event_shape=tuple(dataset.event_shape),
            value_range=dataset.value_range,
            n_classes=dataset.n_classes,
            class_names=tuple(dataset.class_names),
            n_data=len(dataset),
            x_values=dataset.x_values,
            scale=measured(dataset),
        )

    @classmethod
    def from_json(cls, saved: Mapping[str, object]) -> DataSpec:
        """Returns what was saved; raises CheckpointError where they are not those of a data set."""
        try:
            found = TypeAdapter(cls).validate_json(json.dumps(saved), strict=True)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise CheckpointError(
                f"What the checkpoint says of the data is damaged: {wrong}. Remove it to use the one before."
            ) from error
        if not all(n > 0 for n in found.event_shape) or prod(found.event_shape) > MOST_ENTRIES:
            raise CheckpointError(
                f"The checkpoint says that one datum has shape {found.event_shape}: lengths are above 0, and "
                f"{MOST_ENTRIES:,} entries are the most. It is damaged; remove it to use the one before."
            )
        return found

    def as_json(self) -> dict[str, object]:
        """Returns it as JSON values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
