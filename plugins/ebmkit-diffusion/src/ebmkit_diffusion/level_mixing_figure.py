"""The picture of how levels mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from ebmkit import Tuning
from ebmkit_diffusion.level_mixing import JUMPS, rates, round_trip, shares

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def level_figure(record: Tuning, step_size: Tensor, accept: tuple[float, float]) -> Figure:
    """Returns the picture: share of each level, jump matrix, acceptance and step of each level.

    Args:
        record: counts, see `level_mixing`.
        step_size: s of each level [L], data units.
        accept: the band of acceptance rates, shown behind them.
    """
    from matplotlib.figure import Figure

    jumps = record[JUMPS].double().cpu()
    n = len(jumps)
    figure = Figure(figsize=(13, 3.6), layout="constrained", dpi=120)
    share_axes, jump_axes, rate_axes = figure.subplots(1, 3)
    levels = range(n)

    share_axes.bar(levels, shares(jumps).tolist(), color="#4c72b0", width=0.85)
    share_axes.axhline(1 / n, color="0.25", linewidth=1, linestyle="--")
    share_axes.set(title="share of chains (dashed: flat)", xlabel="level", ylim=(0, None))

    chance = jumps / jumps.sum(dim=1, keepdim=True).clamp(min=1e-30)
    image = jump_axes.imshow(chance.clamp(min=1e-4).log10().numpy(), cmap="magma", vmin=-4, vmax=0, origin="lower")
    trip = float(round_trip(jumps))
    told = f"{trip:,.0f} transitions" if trip < 1e5 else "not seen"
    jump_axes.set(title=f"jumps (0–{n - 1}–0: {told})", xlabel="to level", ylabel="from level")
    figure.colorbar(image, ax=jump_axes, label="log₁₀ probability", shrink=0.85)

    rate_axes.axhspan(*accept, color="#55a868", alpha=0.15, linewidth=0)
    rate_axes.plot(levels, rates(record).cpu().tolist(), "o-", color="#55a868", markersize=3)
    rate_axes.set(xlabel="level", ylim=(0, 1.02), title="acceptance (green), step (orange)")
    step_axes = rate_axes.twinx()
    step_axes.plot(levels, step_size.float().cpu().tolist(), "s-", color="#dd8452", markersize=3)
    step_axes.set_yscale("log")
    step_axes.set_ylabel("data units")
    return figure
