"""Coordinates: what a chain state holds beyond x."""
