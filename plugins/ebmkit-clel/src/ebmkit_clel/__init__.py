"""CLEL for ebmkit: contrastive latents that guide an energy-based model (Lee, Jeong, Park, Shin, ICLR 2023)."""

__version__ = "0.1.0"
