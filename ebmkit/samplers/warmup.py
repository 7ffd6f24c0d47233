"""The start of training, in which every finite proposal is taken."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ebmkit.protocols.sampler import Adaptive, Composite, Sampler, Tuning


def warming(sampler: Sampler) -> Tuning:
    """Returns the tuning with which training starts: the warm-up of each part that has one, and nothing else.

    Only what trains asks for it, so that no other chain ever has a warm-up.
    """
    children = sampler.children if isinstance(sampler, Composite) else ()
    parts = {str(i): warming(child) for i, child in enumerate(children)}
    own = sampler.warmup if isinstance(sampler, Adaptive) else 0
    return {**{i: part for i, part in parts.items() if part}, **({WARMUP: torch.tensor(own)} if own else {})}


def unwarmed(tuning: Tuning | None) -> Tuning:
    """Returns a tuning without its warm-up: what samples from it is adjusted from its first move on."""
    kept = {name: value for name, value in (tuning or {}).items() if name != WARMUP}
    return {name: unwarmed(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


WARMUP = "warmup"
"""Key in the tuning: transitions left of a training's start that take every allowed proposal."""
