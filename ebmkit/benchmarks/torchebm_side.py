"""The same workloads on torchebm, eager as is its default: the same energy and weights, moves and step sizes."""

from __future__ import annotations

import math
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ebmkit.benchmarks.workload import Call, Unavailable
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.protocols.energy import Energy

if TYPE_CHECKING:
    from torchebm.core import BaseModel

COMPARED = "0.8.9"


def check_installed() -> str:
    """Returns the version of torchebm.

    Raises:
        CapabilityError: it is not installed.
    """
    try:
        found = version("torchebm")
    except PackageNotFoundError:
        raise CapabilityError(
            "--against torchebm needs torchebm, which is not installed: install the extra, "
            f"ebmkit-core[bench], or torchebm=={COMPARED}."
        ) from None
    return found


def model_of(energy: Energy, device: torch.device) -> BaseModel:
    """Returns an energy as a torchebm model, which hands it x alone; its weights go on wanting gradients."""
    from torchebm.core import BaseModel

    def forward(self: BaseModel, x: Tensor) -> Tensor:
        return energy(Point(x=x))

    model: BaseModel = type("Model", (BaseModel,), {"forward": forward})(device=device)
    return model


def langevin(
    energy: Energy, x: Tensor, *, moves: int, step_size: float, noise: float, bounds: tuple[float, float] | None
) -> Call:
    """Returns Langevin moves; their noise_scale is σ in units of √(2η)."""
    from torchebm.samplers import LangevinDynamics

    sampler = LangevinDynamics(
        model_of(energy, x.device),
        step_size=step_size,
        noise_scale=noise / math.sqrt(2 * step_size),
        clamp=bounds,
        device=x.device,
    )
    return lambda: sampler.sample(x=x, n_steps=moves)


def hmc(energy: Energy, x: Tensor, *, moves: int, step_size: float, n_leapfrog: int) -> Call:
    """Returns Hamiltonian moves, tried once.

    Raises:
        Unavailable: torchebm fails on such events.
    """
    from torchebm.samplers import HamiltonianMonteCarlo

    sampler = HamiltonianMonteCarlo(
        model_of(energy, x.device), step_size=step_size, n_leapfrog_steps=n_leapfrog, device=x.device
    )
    try:
        sampler.sample(x=x[:2], n_steps=1)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise Unavailable(f"torchebm {check_installed()} fails on {tuple(x.shape[1:])}: {first}") from error
    return lambda: sampler.sample(x=x, n_steps=moves)
