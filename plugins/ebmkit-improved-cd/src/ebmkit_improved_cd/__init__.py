"""Improved contrastive divergence for ebmkit (Du, Li, Tenenbaum, Mordatch, ICML 2021)."""

__version__ = "0.1.0"
