"""Buffers: where the chains wait between training steps."""
