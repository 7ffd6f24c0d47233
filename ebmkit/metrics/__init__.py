"""Metrics: ways to judge a model, each with a definition, a source and an error."""
