"""Whether the chains of a batch are moved each by itself: they neither see each other nor share random numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.starts import Scaled, Started, fitting
from ebmkit.testing.statistics import limit, z_of_chi_square
from ebmkit.training.checker.snapshots import of_point
from ebmkit.views.view import view

N_ROWS, N_TIMES = 2_000, 24
FACTORS = (1.0, 0.2)
"""Times the energy: where it is flat, the random number decides more often than the energies do."""
ONE_EACH = (
    "Draw one number for each row, used by no other: torch.rand(B, generator=state.rng), one accept decision each."
)


def rows_do_not_meet(part: Examined) -> None:
    """Raises CheckFailed where a chain depends on the others of its batch, or shares its random numbers with them."""
    for seed in range(16):
        _look_at_half(part, seed)
    n = 200 if part.traits.only_augments else N_ROWS
    start = fitting(part, n)
    for what, values in (pair for factor in FACTORS for pair in _seen(start, factor).items()):
        z = _over_dispersion(values)
        if not z < limit(3):
            raise CheckFailed(
                f"the chains of a batch share random numbers: the mean {what} of {n:,} chains changes with "
                f"the stream far more than that of independent ones ({z:.0f} standard errors). {ONE_EACH}"
            )
        z = _in_step(values)
        if not z < limit(12 * n):
            raise CheckFailed(
                f"some chains of a batch share random numbers with others: the {what} of one goes with that of "
                f"another as the stream changes ({z:.0f} standard errors). {ONE_EACH}"
            )


def _look_at_half(part: Examined, seed: int) -> None:
    """Compares the first half of a batch beside two other halves, on energies so steep that much is rejected."""
    start, half = fitting(part, 64), 32
    point, seen = start.state.point, view(Scaled(start.law.energy, 1 + seed / 8))
    last = point.x[half:]
    far = 2 * last if start.law.value_range is None else last[:1].expand_as(last).contiguous()
    other = point.replace(x=torch.cat([point.x[:half], far]))
    ends = []
    for begin in (point, other):
        with torch.random.fork_rng(devices=[]):  # who draws from a global stream is told so by another check
            torch.manual_seed(seed)
            ends.append(start.sampler.step(seen, start.sampler.init(begin, seeded(seed)))[0].point)
    for name, value in of_point(ends[0]).items():
        if not torch.allclose(value[:half].double(), of_point(ends[1])[name][:half].double(), atol=1e-4):
            raise CheckFailed(
                f"'{name}' of the first {half} chains ended elsewhere when the other chains of the batch started "
                "elsewhere. Each row is proposed and accepted by itself: no sum or mean over the batch."
            )


def _seen(start: Started, factor: float) -> dict[str, Tensor]:
    """Returns displacement and acceptance of every chain [T, B], for T streams and a share of the energy.

    Every transition begins at the same points, so that nothing but the stream can change them.
    """
    seen: dict[str, list[Tensor]] = {"displacement": [], "size of a displacement": [], "acceptance": []}
    before, name = start.state.point, max(start.sampler.traits.moves)
    n, seen_by = len(before), view(Scaled(start.law.energy, factor))
    for seed in range(N_TIMES):
        state, info = start.sampler.step(seen_by, start.sampler.init(before, seeded(100 + seed)))
        moved = (of_point(state.point)[name].double() - of_point(before)[name].double()).reshape(n, -1)[:, 0]
        for key, value in zip(seen, (moved, moved.square(), info.accept_rate.double()), strict=True):
            seen[key].append(value)
    return {key: torch.stack(values) for key, values in seen.items()}


def _over_dispersion(values: Tensor) -> float:
    """Returns the z of the spread of means [T] over rows of values [T, B] against that of independent rows."""
    variance = values.var(dim=1).mean() / values.shape[1]
    means = values.mean(dim=1)
    if not float(variance) > 0:
        return float("inf") if float(means.var()) > 0 else 0.0
    return z_of_chi_square(float((means - means.mean()).square().sum() / variance), len(means) - 1)


def _in_step(values: Tensor) -> float:
    """Returns the largest z of correlations over T streams of rows of values [T, B], by two ways to pair the rows.

    Rows b and b + k, for each k, and rows b and c − b, for each c, both modulo B: neighbours, halves, mirrored rows.
    """
    centred = values - values.mean(dim=0)
    scale = float((2 * (len(values) - 1) * values.var(dim=0).square().sum()).sqrt())  # each pair may be met twice
    spectrum = torch.fft.fft(centred, dim=1)
    shifted = torch.fft.ifft(spectrum.abs().square(), dim=1).real.sum(dim=0)[1:]
    mirrored = torch.fft.ifft(spectrum.square(), dim=1).real.sum(dim=0)
    return float(torch.cat([shifted, mirrored]).abs().max()) / scale if scale > 0 else 0.0
