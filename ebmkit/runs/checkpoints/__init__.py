"""Checkpoints: what the next step depends on, its way to the disk and back."""
