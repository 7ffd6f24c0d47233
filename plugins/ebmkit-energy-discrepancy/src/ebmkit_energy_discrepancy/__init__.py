"""Energy discrepancy for ebmkit (Schröder, Ou, Lim, Li, Vollmer, Duncan, NeurIPS 2023)."""

from ebmkit_energy_discrepancy.declarations import EnergyDiscrepancyConfig as EnergyDiscrepancy

__version__ = "0.1.0"
__all__ = ["EnergyDiscrepancy"]
