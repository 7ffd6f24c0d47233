"""Laws of the networks that features come from."""

from __future__ import annotations

import pytest

from ebmkit.metrics.features.extractors import SHIPPED, find_extractor
from ebmkit.training.checker.streams import own_stream_only


@pytest.mark.parametrize("name", SHIPPED)
def test_opening_a_network_leaves_the_global_stream_alone(name: str) -> None:
    with own_stream_only(f"Network '{name}'", "Take the weights from the file.", of_torch_alone=True):
        find_extractor(name)
