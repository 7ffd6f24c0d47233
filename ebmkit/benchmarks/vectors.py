"""Workloads on points of the plane: a Gaussian mixture, and a small network at two numbers of chains."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.benchmarks.chains import Chains, MakeEnergy, by_hand, chosen, on_torchebm, ours
from ebmkit.benchmarks.workload import OVERHEAD, Bar, Way, Workload
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point

N_LEAPFROG = 10
MANY = 100_000
BLOCK = 4_000


class GaussianMixture(nn.Module):
    """−log Σ N(x; μ, s²) + constant, of eight Gaussians of s.d. s on a circle of radius 2, data units."""

    means: Tensor

    def __init__(self, sd: float = 0.5) -> None:
        super().__init__()
        angle = 2 * math.pi * torch.arange(8) / 8
        self.sd = sd
        self.register_buffer("means", 2 * torch.stack([angle.cos(), angle.sin()], dim=1))

    def forward(self, point: Point) -> Tensor:
        """Returns the energies [B], nats, of x [B, 2]."""
        squares = (point.x[:, None] - self.means).square().sum(dim=2)
        return -torch.logsumexp(-squares / (2 * self.sd**2), dim=1)


def mixture(context: BuildContext) -> nn.Module:
    """Returns the Gaussian mixture."""
    return GaussianMixture().to(context.device)


def network(context: BuildContext) -> nn.Module:
    """Returns the network 2-128-128-1."""
    found: nn.Module = build("energy", "mlp", context=context, widths=(128, 128))
    return found


def workloads() -> tuple[Workload, ...]:
    """Returns the workloads in the plane."""
    return (
        langevin("gmm-langevin", "Gaussian mixture", mixture, 10_000, moves=20, bars=(1.0, 0.0)),
        hmc("gmm-hmc", "Gaussian mixture", mixture, 10_000, moves=10, bars=(1.9, 0.0)),
        langevin("mlp-1k-langevin", "MLP 2-128-128-1", network, 1_000, moves=20, bars=(1.15, 1.35)),
        hmc("mlp-1k-hmc", "MLP 2-128-128-1", network, 1_000, moves=10, bars=(2.1, 2.5)),
        langevin("mlp-100k-langevin", "MLP 2-128-128-1", network, MANY, moves=2, bars=(0.0, 0.0)),
        hmc("mlp-100k-hmc", "MLP 2-128-128-1", network, MANY, moves=1, bars=(4.0, 0.0)),
    )


def langevin(
    name: str, title: str, energy: MakeEnergy, n: int, *, moves: int, bars: tuple[float, float], seconds: float = 5.0
) -> Workload:
    """Returns Langevin moves, η = .005, at temperature 1."""
    settings = (("moves", moves), ("step_size", 0.005), ("noise", 0.1))
    chains = Chains(energy=energy, sampler="sgld", settings=settings, n=n, event_shape=(2,))
    return _workload(name, f"{title}, {n:,} chains, Langevin", chains, gradients=moves, spent=moves, bars=bars,
                     seconds=seconds)  # fmt: skip


def hmc(
    name: str, title: str, energy: MakeEnergy, n: int, *, moves: int, bars: tuple[float, float], seconds: float = 5.0
) -> Workload:
    """Returns Hamiltonian moves of L steps; torchebm spends two gradients a step, and two energies a move."""
    settings = (("moves", moves), ("step_size", 0.05), ("n_leapfrog", N_LEAPFROG))
    chains = Chains(energy=energy, sampler="hmc", settings=settings, n=n, event_shape=(2,))
    return _workload(
        name, f"{title}, {n:,} chains, HMC L = {N_LEAPFROG}", chains, gradients=moves * N_LEAPFROG + 1,
        spent=2 * moves * N_LEAPFROG, bars=bars, seconds=seconds,
    )  # fmt: skip


def _workload(
    name: str, title: str, chains: Chains, *, gradients: int, spent: int, bars: tuple[float, float], seconds: float
) -> Workload:
    ways: dict[str, Way] = {
        "ebmkit fp32": ours(chains, "fp32", bare="bare fp32"),
        "ebmkit fp32 compiled": ours(chains, "fp32", "compile", bare="bare fp32"),
        "ebmkit auto": chosen(chains, "fp32", bare="bare fp32"),
        "bare fp32": by_hand(chains, "fp32"),
        "torchebm": on_torchebm(chains, spent),
    }
    if _is_cut(chains):
        ways[f"torchebm, frozen, {BLOCK:,} rows"] = on_torchebm(chains, spent, block=BLOCK)
        ways["ebmkit fp32 whole"] = ours(replace(chains, chunk=0), "fp32", bare="bare fp32")
    return Workload(
        name=name, title=title, ways=ways, chains=chains.n, moves=chains.count("moves"), gradients=gradients,
        bars=tuple(_bars(chains, bars)), seconds=seconds,
    )  # fmt: skip


def _bars(chains: Chains, least: tuple[float, float]) -> Iterator[Bar]:
    eager, chosen = least
    if eager:
        yield Bar("torchebm", "ebmkit fp32", eager)
    if chosen:
        yield Bar("torchebm", "ebmkit auto", chosen)
    if _is_cut(chains):  # chunks against a loop without them would be no measure of overhead, nor of what is kept
        yield Bar("torchebm", "ebmkit fp32 whole", 2.0, measure="bytes")
    elif chains.energy is network:
        yield Bar("ebmkit fp32", "bare fp32", most=OVERHEAD)


def _is_cut(chains: Chains) -> bool:
    """Whether our batches may go through the network in chunks."""
    return chains.energy is network and chains.n >= MANY
