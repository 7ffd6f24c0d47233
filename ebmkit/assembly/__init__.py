"""From declarations to a model."""
