"""Which of two classes an "or" of CLEL's latents draws: python docs/or_at_noise.py RUN CLASS CLASS

At a small temperature a chain that follows "A or B" goes to the class whose energy is lower where it starts, and all
start from uniform noise. Printed are the share of 64 noise images at which A is the lower one, and the difference of
the two energies in units of the temperature.
"""

from __future__ import annotations

import argparse
import sys

import torch

import ebmkit
from ebmkit.metrics.composition import latent_direction
from ebmkit.sampling.compose import Conditioned

STRENGTH = 0.1
"""As in the results."""


def main() -> None:
    """Prints a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("classes", nargs=2, metavar="CLASS")
    asked = parser.parse_args()
    model = ebmkit.load(asked.run)
    low, high = model.data.value_range or (0.0, 1.0)
    noise = low + (high - low) * torch.rand(64, *model.data.event_shape, generator=torch.Generator().manual_seed(0))
    energies = []
    for name in asked.classes:
        number = list(model.data.class_names).index(name)
        given = Conditioned(model.energy, latent_direction(model, f"class:{number}", STRENGTH), "latent")
        with torch.no_grad():
            energies.append(given(ebmkit.Point(x=noise)))
    first, second = asked.classes
    apart = energies[0] - energies[1]
    share = float((apart < 0).double().mean())
    in_t = float(apart.mean()) / model.temperature
    sys.stdout.write(f"{first} is lower at {share:.0%} of the noise; {first} − {second}: {in_t:.2g} T\n")


if __name__ == "__main__":
    main()
