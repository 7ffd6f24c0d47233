"""Metrics: what is measured of a trained model, one a file."""
