"""What this package offers: declarations and settings. Imports no torch."""

from __future__ import annotations

from ebmkit.components import Component

COMPONENTS: tuple[Component, ...] = ()
