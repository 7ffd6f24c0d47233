"""What core's objectives are called and can be given. Imports no torch."""
