"""What touches a run directory."""
