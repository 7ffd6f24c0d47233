"""How the levels mix: pooled counts of jumps and acceptances, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ebmkit import SamplerInfo, Tuning
from ebmkit.samplers.acceptance import trials_by_value
from ebmkit_diffusion.level import LEVEL

JUMPS, ACCEPTED, TRIED = "jumps", "accepted", "tried"

NEVER = 1e6
"""Transitions of a round trip that was not seen to happen."""


def first_record(n_levels: int, device: torch.device) -> dict[str, Tensor]:
    """Returns counts of nothing: jumps [L, L], accepted and tried moves [L]."""
    return {
        JUMPS: torch.zeros(n_levels, n_levels, device=device),
        ACCEPTED: torch.zeros(n_levels, device=device),
        TRIED: torch.zeros(n_levels, device=device),
    }


def recorded(record: Tuning, before: Tensor, after: Tensor, moves: SamplerInfo, memory: float) -> dict[str, Tensor]:
    """Returns the counts after one transition, what was counted before having faded by 1 − 1/memory.

    Args:
        record: counts so far.
        before: level [B] at the start of the transition.
        after: level [B] after it.
        moves: of the Langevin part; its trials count for the level at which they were made.
        memory: transitions.
    """
    n, keep = len(record[TRIED]), 1 - 1 / memory
    member = (before[:, None] == torch.arange(n, device=before.device)).to(record[TRIED].dtype)
    arrived = (after[:, None] == torch.arange(n, device=after.device)).to(member.dtype)
    accepted, tried = trials_by_value(moves, before, n)
    return {
        JUMPS: keep * record[JUMPS] + member.T @ arrived,
        ACCEPTED: keep * record[ACCEPTED] + accepted.to(member.dtype),
        TRIED: keep * record[TRIED] + tried.to(member.dtype),
    }


def shares(jumps: Tensor) -> Tensor:
    """Returns the share [L] of chains that arrive at each level; flat where the model is right."""
    arrived = jumps.sum(dim=0)
    return arrived / arrived.sum().clamp(min=1e-30)


def rates(record: Tuning) -> Tensor:
    """Returns the acceptance rate [L] of each level, NaN where none was tried (a level without trials has no rate)."""
    tried = record[TRIED]
    return torch.where(tried > 0, record[ACCEPTED] / tried.clamp(min=1e-30), torch.nan)


def hitting_time(transition: Tensor, target: int) -> Tensor:
    """Returns the expected transitions [L] until a level is reached, from (I − Q)h = 1; 0 from that level itself."""
    n = len(transition)
    others = [i for i in range(n) if i != target]
    q = transition[others][:, others]
    identity = torch.eye(n - 1, device=q.device, dtype=q.dtype)
    steps, _ = torch.linalg.solve_ex(identity - q, torch.ones_like(q[0]))
    return torch.cat([steps[:target], steps.new_zeros(1), steps[target:]])


def round_trip(jumps: Tensor) -> Tensor:
    """Returns the expected transitions of 0 → T → 0 by the pooled jumps, as a Markov chain; at most `NEVER`.

    The level alone is no Markov chain, so this is a figure to compare runs by, and an optimistic one.
    """
    counts = jumps.double() + 1e-9 / len(jumps)  # a level that was never left is left in the end: the system is regular
    transition = counts / counts.sum(dim=1, keepdim=True)
    there, back = hitting_time(transition, len(jumps) - 1)[0], hitting_time(transition, 0)[-1]
    return torch.nan_to_num(there + back, nan=NEVER, posinf=NEVER).clamp(0, NEVER).float()


def level_metrics(record: Tuning, step_size: Tensor) -> Mapping[str, Tensor]:
    """Returns named scalars: how flat the levels are, how they mix, and share, acceptance and step of each level.

    "unevenness" is the largest |share · (T + 1) − 1|; an acceptance rate of −1 means that no move was tried there.
    """
    share, rate = shares(record[JUMPS]), rates(record).nan_to_num(-1.0)
    uneven = (share * len(share) - 1).abs().max()
    stays = record[JUMPS].diagonal().sum() / record[JUMPS].sum().clamp(min=1e-30)
    each = {"share": share, "accept_rate": rate, "step_size": step_size.float()}
    listed = {f"{LEVEL}.{t}.{name}": values[t] for name, values in each.items() for t in range(len(values))}
    return {
        f"{LEVEL}.unevenness": uneven,
        f"{LEVEL}.jump_rate": 1 - stays,
        f"{LEVEL}.round_trip": round_trip(record[JUMPS]),
        **listed,
    }
