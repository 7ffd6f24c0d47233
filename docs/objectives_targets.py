"""The laws of the table of objectives, the network for each, and how all objectives are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Settings = Mapping[str, object]

PLANE, MIXTURE = "plane", "mixture"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A law with a known density.

    Attributes:
        kind: "plane" or "mixture".
        data: settings of its data set, `use` among them.
        sd: of an entry of x, data units.
        title: as readers see it.
    """

    kind: str
    data: Settings
    sd: float
    title: str


TOY = {"use": "toy"}
TARGETS = {
    "rings": Target(
        kind=PLANE, sd=1.94, title="rings", data={**TOY, "density": "rings", "radius": 4.0, "n_rings": 4, "sd": 0.1}
    ),
    "eight-gaussians": Target(
        kind=PLANE, sd=1.42, title="eight Gaussians", data={**TOY, "density": "eight-gaussians", "sd": 0.126}
    ),
    "checkerboard": Target(kind=PLANE, sd=1.15, title="checkerboard", data={**TOY, "density": "checkerboard"}),
    "moons": Target(kind=PLANE, sd=1.1, title="moons", data={**TOY, "density": "moons", "sd": 0.1}),
    "mixture-16": Target(
        kind=MIXTURE, sd=1.0, title="40 modes in 16 dimensions", data={"use": "gaussian-mixture", "dimensions": 16}
    ),
    "mixture-64": Target(
        kind=MIXTURE, sd=1.0, title="40 modes in 64 dimensions", data={"use": "gaussian-mixture", "dimensions": 64}
    ),
}

NETWORK = {"energy.widths": [128, 128, 128], "energy.activation": "softplus", "energy.first_gain": 1.0}
NETWORKS: Mapping[str, Settings] = {
    PLANE: {**NETWORK, "energy.frequencies": 64, "energy.frequency_sd": 3.0},
    MIXTURE: {**NETWORK, "energy.widths": [256, 256, 256], "energy.activation": "silu", "energy.frequencies": 128},
}
"""The same for every objective; where x has levels, a head on its features makes the energies of all of them."""

TRAINING: Settings = {
    "run.engine": "eager",
    "run.precision": "fp32",
    "run.checked_steps": 0,
    "run.alarms": False,
    "run.batch_size": 1_000,
    "run.ema_half_life": 150_000.0,
    "run.ema_copy_steps": 100,
    "optim.energy.use": "adam",
    "optim.energy.lr": 2e-3,
    "optim.energy.betas": [0.9, 0.999],
    "optim.energy.schedule": "cosine",
    "log.every": 1_000_000,
}
SMALLER: Settings = {"run.batch_size": 250, "run.ema_half_life": 37_500.0}
"""On the mixtures, where more steps are worth more than more rows: tried once, 250 against 1,000."""

CHAINS: Settings = {
    "run.batch_size": 200,
    "run.ema_half_life": 30_000.0,
    "run.temperature": 1.0,
    "optim.energy.lr": 2e-4,
    "optim.energy.betas": [0.0, 0.999],
    "buffer.capacity": 1_000,
    "buffer.start": "data",
    "buffer.reinit": 0.01,
}
"""Of what has chains: fewer rows a step, each of which moves many times. They begin at data: from the prior, with
10,000 rows and a rate of 1e-3, most of these lines had diverged within ten seconds."""
