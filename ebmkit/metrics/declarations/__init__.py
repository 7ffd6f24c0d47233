"""What core's metrics are called and can be given. Imports no torch."""

from __future__ import annotations

from types import ModuleType

GROUPS: tuple[ModuleType, ...] = ()
"""The modules of declarations, in the order in which they are listed."""
