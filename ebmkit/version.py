"""The version of ebmkit-core, which its package takes from here. Imports nothing."""

__version__ = "0.1.0"
