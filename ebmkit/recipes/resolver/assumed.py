"""What a pass of the resolver assumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ebmkit.plugins.component import Selection
from ebmkit.recipes.resolver.choice import Key


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What a pass takes for granted, and what must come out of it again.

    Attributes:
        selection: what rules may know.
        chains: an objective needs chains. Without any, no sampler and no buffer is added.
        grants: what includes ask for: part → setting → (value, who asks).
    """

    selection: Selection
    chains: bool = True
    grants: Mapping[Key, Mapping[str, tuple[Any, str]]] = field(default_factory=dict)
