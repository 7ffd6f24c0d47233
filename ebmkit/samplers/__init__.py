"""Samplers: pure transitions over points."""
