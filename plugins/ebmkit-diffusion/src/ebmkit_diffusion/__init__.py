"""Diffusion-assisted, persistently trained energy-based models for ebmkit (Zhang, Tan, Ou, Stat 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebmkit_diffusion.stability import LongRun, long_run

__version__ = "0.1.0"
__all__ = ["LongRun", "long_run"]


def __getattr__(name: str) -> object:
    """Imports the long-run test when it is asked for: declaring the parts of this package imports no torch."""
    if name in __all__:
        from ebmkit_diffusion import stability

        return getattr(stability, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
