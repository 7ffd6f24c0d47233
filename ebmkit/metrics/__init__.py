"""Metrics: what samples and energies of a trained model are worth."""
