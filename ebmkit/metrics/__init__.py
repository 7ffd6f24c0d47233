"""Metrics: ways to judge a model, one a file, each with a definition, a source and an error."""
