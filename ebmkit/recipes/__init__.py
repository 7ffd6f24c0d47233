"""Recipes: what a run is made of, as TOML and as dataclasses, and how they are completed. Imports no torch."""
