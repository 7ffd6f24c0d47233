"""Diffusion-assisted, persistently trained energy-based models for ebmkit (Zhang, Tan, Ou, Stat 2023)."""

__version__ = "0.1.0"
