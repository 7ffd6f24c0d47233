"""The files of a run directory: where they are, that they are whole, whose they are."""
