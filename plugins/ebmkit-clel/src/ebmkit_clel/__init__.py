"""CLEL for ebmkit: contrastive latents that guide an energy-based model (Lee, Jeong, Park, Shin, ICLR 2023)."""

from ebmkit_clel.declarations import ClelConfig as Clel
from ebmkit_clel.declarations import LatentHeadConfig as LatentHead

__version__ = "0.1.0"
__all__ = ["Clel", "LatentHead"]
