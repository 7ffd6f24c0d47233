"""Chains outside of training."""
