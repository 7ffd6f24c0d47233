"""The Barker proposal for ebmkit."""

from ebmkit_barker.declarations import BarkerConfig as Barker

__all__ = ["Barker"]
