"""One transition outside training, looked at once."""

from __future__ import annotations

from dataclasses import replace

from ebmkit.errors import DivergenceError
from ebmkit.protocols.energy import EnergyView
from ebmkit.protocols.sampler import Sampler, SamplerInfo, SamplerState
from ebmkit.samplers.nonfinite import explain, finite_rows


def moved(sampler: Sampler, view: EnergyView, state: SamplerState, i: int) -> tuple[SamplerState, SamplerInfo]:
    """Makes the i-th transition of chains.

    Raises:
        DivergenceError: a chain is not finite after it; the message names the move.
    """
    before = replace(state, rng=state.rng.clone_state())
    state, info = sampler.step(view, state)
    if not bool(finite_rows(state.point).all()):
        why = explain(sampler, view, before, info)
        raise DivergenceError(f"A chain is not finite after transition {i}; {why} Use a smaller step.")
    return state, info
