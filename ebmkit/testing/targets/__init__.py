"""Known laws, with exact draws and exact expectations: what a sampler, yours or ours, can be held against."""

from ebmkit.testing.targets.gaussians import COVARIANCE, gaussian, half_square, image
from ebmkit.testing.targets.lattices import ising, potts
from ebmkit.testing.targets.mixtures import JointEnergy, at_level, joint, two_mode_energy, two_modes
from ebmkit.testing.targets.shapes import box, noise, ring, ring_energy

LAWS = (gaussian, two_modes, ring, box, joint, image)
"""Of real-valued x."""

DISCRETE_LAWS = (ising, potts)
"""Of discrete x."""

__all__ = [
    "COVARIANCE", "DISCRETE_LAWS", "LAWS", "JointEnergy", "at_level", "box", "gaussian", "half_square", "image",
    "ising", "joint", "noise", "potts", "ring", "ring_energy", "two_mode_energy", "two_modes",
]  # fmt: skip
