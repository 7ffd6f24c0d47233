"""What core's metrics are called and can be given. Imports no torch."""

from __future__ import annotations

from types import ModuleType

from ebmkit.metrics.declarations import detection, features

GROUPS: tuple[ModuleType, ...] = (features, detection)
from ebmkit.metrics.declarations import chains, features, likelihood

GROUPS: tuple[ModuleType, ...] = (features, likelihood, chains)
"""The modules of declarations, in the order in which they are listed."""
