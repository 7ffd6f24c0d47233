"""Buffers: where the chains wait between training steps.

The names below are the settings of the parts, typed, the same as in a recipe; they import no torch. What is built from
them is in the modules of this package.
"""

from ebmkit.buffers.declarations import DataBufferConfig as DataBuffer
from ebmkit.buffers.declarations import NoBufferConfig as NoBuffer
from ebmkit.buffers.declarations import ReplayConfig as Replay

__all__ = [
    "DataBuffer",
    "NoBuffer",
    "Replay",
]
