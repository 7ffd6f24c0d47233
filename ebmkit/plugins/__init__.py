"""The plugin host: declarations, loading, and what was found. Imports no torch."""
