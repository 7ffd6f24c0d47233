"""Measures of trained models, one a file: parts like any other."""
