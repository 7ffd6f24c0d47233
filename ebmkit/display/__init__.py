"""What a person sees while something goes on, in a terminal, a notebook or a pipe. Imports no torch."""
