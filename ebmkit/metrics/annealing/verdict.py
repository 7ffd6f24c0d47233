"""What bridge sampling says of a density that was had in one pass: does it sum to one?"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, hypot

from torch import Tensor

from ebmkit.evaluation.uncertainty import standard_error
from ebmkit.metrics.annealing.bridge import BridgedLogZ
from ebmkit.protocols.metric import Estimate

NEAR_BITS = 0.02
"""Bits a dimension that log Z may be away from 0; at least `NEAR_NATS`."""
NEAR_NATS = 0.1
FULL_OVERLAP = 0.1
"""Overlap of neighbours below which bridge sampling is not to be trusted."""


def bridge_estimates(bridged: Mapping[int, BridgedLogZ], pass_z: Tensor) -> dict[str, Estimate]:
    """Returns log ∫ of the one-pass density, by moves at each level, and the smallest overlap.

    Args:
        bridged: log Z of level 0, by the number of moves.
        pass_z: −E(x, L)/T − log q(x) of data [N], which stands for log Z in one pass.
    """
    mean, spread, n = float(pass_z.mean()), standard_error(pass_z), len(pass_z)
    found = {
        f"log Z, bridge, {moves} moves": Estimate(
            value=one.value - mean, error=hypot(one.error, spread), n=n, unit="nats"
        )
        for moves, one in bridged.items()
    }
    least = min(one.overlap for one in bridged.values())
    return {**found, "overlap of neighbours, the least": Estimate(value=least, error=None, n=n, better="higher")}


def verdict(bridged: Mapping[int, BridgedLogZ], pass_z: Tensor, dimensions_a_bit: float) -> list[str]:
    """Returns in words whether the one-pass density sums to one, and whether its chains knew.

    Args:
        bridged: as above.
        pass_z: as above.
        dimensions_a_bit: nats that are a bit a dimension.
    """
    near = max(NEAR_NATS, NEAR_BITS * dimensions_a_bit)
    mean = float(pass_z.mean())
    told = [_of_the_sum(moves, one, one.value - mean, near) for moves, one in bridged.items()]
    return [*told, *_of_the_last_level(pass_z, near), *_of_the_chains(bridged, near), *_of_the_overlap(bridged)]


def _of_the_sum(moves: int, found: BridgedLogZ, value: float, near: float) -> str:
    told = f"By bridge sampling with {moves} moves a level, log Z of the one-pass density is {value:+.3g} ± "
    told += f"{found.error:.2g} nats"
    if abs(value) > near + 2 * found.error:
        sums = f"it sums to {exp(value):.3g}, not to 1" if abs(value) < 500 else "it does not sum to 1"
        return f"{told}, not near 0: {sums}, and the likelihood in one pass means nothing until it is."
    if found.error > near:
        return f"{told}: too uncertain to say that it is 0. More chains make it surer."
    return f"{told}: near 0, within {near:.2g} nats and two standard errors."


def _of_the_last_level(pass_z: Tensor, near: float) -> list[str]:
    spread = float(pass_z.std())
    if spread <= near:
        return []
    return [
        f"−E(x, L)/T − log q(x) is not one number but spreads by {spread:.3g} nats over data: the model's last level "
        "is not q there, and the likelihood in one pass is wrong by as much from datum to datum."
    ]


def _of_the_chains(bridged: Mapping[int, BridgedLogZ], near: float) -> list[str]:
    few, many = bridged[min(bridged)], bridged[max(bridged)]
    apart = many.value - few.value
    if abs(apart) <= near + 2 * hypot(few.error, many.error):
        return []
    return [
        f"With {max(bridged)} moves a level instead of {min(bridged)} it is {apart:+.3g} nats: the chains are not in "
        "equilibrium, and neither number is log Z. Ask for more moves in metric.likelihood.bridge."
    ]


def _of_the_overlap(bridged: Mapping[int, BridgedLogZ]) -> list[str]:
    least = min(one.overlap for one in bridged.values())
    if least >= FULL_OVERLAP:
        return []
    return [
        f"Two neighbours on the path overlap by {least:.2g} of 1: bridge sampling is uncertain beyond its error there. "
        "More densities between levels, metric.likelihood.between, bring them nearer."
    ]
