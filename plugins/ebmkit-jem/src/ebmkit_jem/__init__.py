"""Joint energy-based models for ebmkit (Grathwohl, Wang, Jacobsen, Duvenaud, Norouzi, Swersky, ICLR 2020)."""

from ebmkit_jem.declarations import CalibrationConfig as Calibration
from ebmkit_jem.declarations import JemConfig as Jem
from ebmkit_jem.declarations import LogitHeadConfig as LogitHead

__version__ = "0.1.0"
__all__ = ["Calibration", "Jem", "LogitHead"]
