"""Looks at every part in the first steps of a run, and names the one that breaks a promise. It changes no number."""
