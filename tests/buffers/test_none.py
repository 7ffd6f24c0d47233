"""Laws of the buffer `none`: every chain is fresh, and nothing is remembered."""

import pytest
import torch

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.errors import CapabilityError, CheckpointError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.rng import stream

CONTEXT = BuildContext(event_shape=(3,), value_range=(2.0, 4.0), coordinates=(Label(5),), dtype=torch.float64)


def test_every_draw_is_fresh_and_matched() -> None:
    buffer = build("buffer", "none", context=CONTEXT)
    positive = Point(x=torch.zeros(50, 3), aux={"label": torch.arange(50) % 5})
    token, first = buffer.draw(positive, stream(0, 1, "draw"), frozenset({"label"}))
    buffer.put(token, first)
    _, second = buffer.draw(positive, stream(0, 2, "draw"))
    assert torch.equal(first.aux["label"], positive.aux["label"])
    assert not torch.equal(second.aux["label"], positive.aux["label"]) and not torch.equal(first.x, second.x)
    assert first.x.min() >= 2 and first.x.max() <= 4 and first.x.dtype == torch.float64
    assert isinstance(buffer, Buffer) and len(buffer) == 0


def test_it_has_nothing_to_give() -> None:
    buffer = build("buffer", "none", context=CONTEXT)
    with pytest.raises(CapabilityError, match="replay"):
        buffer.reference(3, stream(0, 0, "reference"))
    buffer.load_state_dict(buffer.state_dict())
    with pytest.raises(CheckpointError, match="none"):
        buffer.load_state_dict({"x": torch.zeros(2, 3)})
