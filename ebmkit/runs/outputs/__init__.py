"""What is made of a finished run: reports, exported energies, small copies."""
