"""What core's samplers are called and can be given. Imports no torch."""
