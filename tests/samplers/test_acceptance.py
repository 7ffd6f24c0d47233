"""What counts as acceptance: proposals for x that may be rejected, and nothing else."""

from __future__ import annotations

import torch

from ebmkit.assembly.build import build
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerInfo
from ebmkit.samplers.acceptance import acceptance, joint_rate, trials, trials_by_value
from ebmkit.samplers.sequence import Sequence
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import joint
from tests.samplers.registry import moved


def told(rate: float, proposals: int) -> SamplerInfo:
    return SamplerInfo(
        start=Point(x=torch.zeros(2, 2)), accept_rate=torch.tensor([rate, rate / 2]), n_moves=7, n_gradients=0,
        n_proposals=proposals,
    )  # fmt: skip


def test_a_sequence_accepts_what_its_parts_accept_of_their_proposals() -> None:
    """Three MALA moves of which few are accepted, and three Gibbs draws that always happen."""
    mala = build("sampler", "mala", context=joint.context(), moves=3, step_size=6.0)
    gibbs = [build("sampler", "gibbs", context=joint.context()) for _ in range(3)]
    _, info = moved(Sequence([mala, *gibbs]), joint.energy, joint.draw(500, seeded(0)))
    assert torch.equal(info.accept_rate, info.children[0].accept_rate) and info.accept_rate.mean() < 0.3
    assert (info.n_proposals, info.n_moves) == (3, 6)


def test_proposals_are_pooled_over_parts() -> None:
    torch.testing.assert_close(joint_rate([told(0.6, 4), told(1.0, 0), told(0.2, 12)]), torch.tensor([0.3, 0.15]))
    assert (joint_rate([told(1.0, 0)]) == 1).all() and acceptance(told(1.0, 0)) is None


def test_trials_are_pooled_over_chains_and_by_value() -> None:
    accepted, tried = trials(told(0.5, 4))
    assert (float(accepted), float(tried)) == (3.0, 8.0)
    by_value = trials_by_value(told(0.5, 4), torch.tensor([2, 0]), 3)
    assert [counts.tolist() for counts in by_value] == [[1.0, 0.0, 2.0], [4.0, 0.0, 4.0]]
