"""Energies: networks, and anything callable made into one."""
