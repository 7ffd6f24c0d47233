"""Minimum Stein discrepancy for ebmkit."""

from ebmkit_stein.declarations import SteinConfig as Stein

__all__ = ["Stein"]
