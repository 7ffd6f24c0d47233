"""What core's metrics are called and can be given. Imports no torch."""

from __future__ import annotations

from types import ModuleType

from ebmkit.metrics.declarations import chains, conditions, detection, features, known_density, likelihood

GROUPS: tuple[ModuleType, ...] = (features, conditions, detection, likelihood, known_density, chains)
"""The modules of declarations, in the order in which they are listed."""
