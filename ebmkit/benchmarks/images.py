"""Workloads on images: a small residual network at 1×28×28, and the network of CLEL Base at 3×32×32."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from ebmkit.assembly.build import build
from ebmkit.benchmarks.chains import Chains, by_hand, chosen, on_the_live_module, on_torchebm, ours
from ebmkit.benchmarks.workload import OVERHEAD, Bar, Way, Workload
from ebmkit.plugins.context import BuildContext

BASE = {"widths": (128, 128, 256, 256), "blocks": 2, "hidden": 2048, "features": 128, "linear_std": 0.01,
        "mean": (0.4914, 0.4822, 0.4465), "std": (0.2470, 0.2435, 0.2616), "head": "half-squared-norm"}  # fmt: skip
"""The network of Lee et al. (2023) for CIFAR-10, 6.96 M parameters with its latent head."""
USUAL_MOVES = (("step_size", 100.0), ("noise", 0.001))


def small_network(context: BuildContext) -> nn.Module:
    """Returns the residual network of widths 32, 64, 64, 128 with spectral norm."""
    network: nn.Module = build("energy", "resnet", context=context, head="half-squared-norm")
    return network


def base_network(context: BuildContext) -> nn.Module:
    """Returns the network of CLEL Base, without its latent head: the energy of x does not see it."""
    network: nn.Module = build("energy", "resnet", context=context, **BASE)
    return network


def workloads() -> tuple[Workload, ...]:
    """Returns the workloads on images."""
    small = Chains(
        energy=small_network, sampler="sgld", settings=(("moves", 5), *USUAL_MOVES), n=64, event_shape=(1, 28, 28),
        value_range=(0.0, 1.0),
    )  # fmt: skip
    base = replace(small, energy=base_network, settings=(("moves", 2), *USUAL_MOVES), n=16, event_shape=(3, 32, 32))
    unbounded = replace(small, value_range=None)
    adjusted = replace(unbounded, sampler="mala", settings=(("moves", 4), ("step_size", 0.01)))
    long = replace(unbounded, sampler="hmc", settings=(("moves", 1), ("step_size", 0.01), ("n_leapfrog", 5)))
    return (resnet_langevin(small), resnet_mala(adjusted), resnet_hmc(long), base_langevin(base))


def resnet_langevin(chains: Chains) -> Workload:
    """Returns Langevin moves in both precisions, eager and compiled, beside the loop over the live network."""
    moves = chains.count("moves")
    return Workload(
        name="resnet-langevin", title="ResNet 1×28×28, 64 chains, Langevin", chains=chains.n, moves=moves,
        gradients=moves, ways=_langevin_ways(chains), seconds=12.0,
        bars=(
            Bar("live fp32", "ebmkit bf16", 3.0),
            Bar("live fp32", "ebmkit bf16 compiled", 5.5),
            Bar("ebmkit bf16", "bare bf16", most=OVERHEAD),
            Bar("ebmkit fp32", "bare fp32", most=OVERHEAD),
        ),
    )  # fmt: skip


def resnet_mala(chains: Chains) -> Workload:
    """Returns adjusted moves: both keep the gradient of where they stand, one proposes by a bf16 gradient."""
    moves = chains.count("moves")
    ways = {
        "ebmkit bf16 gradient": replace(ours(chains, "bf16"), precision="mixed"),
        "ebmkit fp32": ours(chains, "fp32", bare="bare fp32"),
        "bare fp32": by_hand(chains, "fp32"),
    }
    return Workload(
        name="resnet-mala", title="ResNet 1×28×28, 64 chains, MALA", chains=chains.n, moves=moves,
        gradients=moves + 1, ways=ways, seconds=10.0,
        bars=(Bar("ebmkit fp32", "ebmkit bf16 gradient", 1.2),),
    )  # fmt: skip


def resnet_hmc(chains: Chains) -> Workload:
    """Returns Hamiltonian moves on images."""
    moves, steps = chains.count("moves"), chains.count("n_leapfrog")
    return Workload(
        name="resnet-hmc", title=f"ResNet 1×28×28, 64 chains, HMC L = {steps}", chains=chains.n, moves=moves,
        gradients=moves * steps + 1, seconds=4.0,
        ways={
            "ebmkit fp32": ours(chains, "fp32", bare="bare fp32"),
            "ebmkit bf16 gradient": replace(ours(chains, "bf16"), precision="mixed"),
            "bare fp32": by_hand(chains, "fp32"),
            "torchebm": on_torchebm(chains, 2 * moves * steps),
        },
    )  # fmt: skip


def base_langevin(chains: Chains) -> Workload:
    """Returns Langevin moves on the network of CLEL Base."""
    moves, ways = chains.count("moves"), _langevin_ways(chains)
    del ways["ebmkit fp32 compiled"]  # half a minute of compiling, for a few per cent
    return Workload(
        name="clel-base-langevin", title="CLEL Base network 3×32×32, 16 chains, Langevin", chains=chains.n,
        moves=moves, gradients=moves, ways=ways, seconds=12.0,
        bars=(Bar("ebmkit bf16", "bare bf16", most=OVERHEAD), Bar("ebmkit fp32", "bare fp32", most=OVERHEAD)),
    )  # fmt: skip


def _langevin_ways(chains: Chains) -> dict[str, Way]:
    return {
        "ebmkit bf16": ours(chains, "bf16", bare="bare bf16"),
        "ebmkit bf16 compiled": ours(chains, "bf16", "compile", bare="bare bf16"),
        "ebmkit fp32": ours(chains, "fp32", bare="bare fp32"),
        "ebmkit fp32 compiled": ours(chains, "fp32", "compile", bare="bare fp32"),
        "ebmkit auto": chosen(chains, "bf16", bare="bare bf16"),
        "bare bf16": by_hand(chains, "bf16"),
        "bare fp32": by_hand(chains, "fp32"),
        "live fp32": on_the_live_module(chains),
        "torchebm": on_torchebm(chains, chains.count("moves")),
    }
