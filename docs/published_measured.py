"""Figures that were published, beside what comes out here: sizes of networks, and an exact joint law in one dimension.

python docs/published_measured.py            both tables of docs/results/6-published.md, about three minutes
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import Tensor, nn

from ebmkit import BuildContext, Point, build, view
from ebmkit.assembly.parts import build_coordinates, build_energy
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.samplers.adaptation import adapted, for_evaluation

PAGE = Path(__file__).parent / "results" / "6-published.md"
SIZES = (
    ("CLEL, Base", "clel-cifar10", (3, 32, 32), "6.96 M"),
    ("CLEL, Large", "clel-cifar10-large", (3, 32, 32), "30.71 M"),
    ("CLEL, Small", "clel-cifar10-small", (3, 32, 32), "1.7 M"),
    ("improved CD, CIFAR-10, three scales", "improved-cd-cifar10", (3, 32, 32), "6.64 M"),
    ("improved CD, CelebA 128, three scales", "improved-cd-celeba128", (3, 128, 128), "27.1 M"),
    ("improved CD, MNIST", "improved-cd-mnist", (1, 28, 28), "4.09 M"),
    ("diffusion-assisted, 28×28", "da-fashion", (1, 28, 28), "about 4.8 M"),
)
EXACT = (1 / 7, 0.75, 0.1)
ADAPTED = (0.146, 0.146, 0.195, 0.345, 0.673, 1.08, 1.59)
CHAINS, TRANSITIONS, ADAPTING, SEEDS = 2_000, 400, 150, range(5)


def size(recipe: str, shape: tuple[int, ...]) -> int:
    """Returns how many parameters the energy of a recipe has, with its wrappers."""
    complete = resolve(from_toml(host().recipe(recipe)), host(), shape).recipe
    context = build_coordinates(complete, BuildContext(event_shape=shape, value_range=(0.0, 1.0)))
    return sum(p.numel() for p in build_energy(complete, context).parameters())


class Joint(nn.Module):
    """t uniform in 0..6 and ¾ N(−2, .1²) + ¼ N(2, .1²), diffused to level t: exact energies, nats."""

    def __init__(self, scales: Tensor) -> None:
        super().__init__()
        self.scales, self.variances = scales, scales**2 * 0.1**2 + 1 - scales**2

    abilities = frozenset({"energy", "levels.level"})

    def forward(self, point: Point) -> Tensor:
        """Returns E(x, t) [B]."""
        return self.levels(point, "level").gather(1, point.aux["level"][:, None])[:, 0]

    def levels(self, point: Point, name: str) -> Tensor:
        """Returns E(x, ·) [B, 7]."""
        parts = [
            math.log(weight) - (point.x - centre * self.scales).square() / (2 * self.variances)
            for weight, centre in ((0.75, -2), (0.25, 2))
        ]
        return self.variances.log() / 2 - torch.logaddexp(*parts)


def one_dimension(seed: int) -> tuple[list[float], list[float]]:
    """Returns what `mgms` finds of the joint law: extreme shares of levels, the left mode, its s.d.; its steps."""
    context = BuildContext(event_shape=(1,))
    level = build("coordinate", "level", context=context, noise_levels=6)
    sampler = build("sampler", "mgms", context=context.replace(coordinates=(level,)), adapt_every=1)
    seen = view(Joint(level.scales), "fp32")
    start = level.prior(CHAINS, Point(x=torch.zeros(CHAINS, 1)), torch.Generator().manual_seed(seed), "generation")
    state = sampler.init(start, torch.Generator().manual_seed(1_000 + seed))
    levels, xs = [], []
    for i in range(TRANSITIONS):
        state, info = sampler.step(seen, state)
        if i < ADAPTING:
            learnt = adapted(sampler, state.tuning, info)
            state = sampler.init(state.point, state.rng, for_evaluation(learnt) if i == ADAPTING - 1 else learnt)
        else:
            levels.append(state.point.aux["level"])
            xs.append(state.point.x[:, 0])
    level_of, x = torch.cat(levels), torch.cat(xs)
    shares = [float((level_of == t).float().mean()) for t in range(7)]
    clean = x[level_of == 0]
    found = [*shares, float((clean < 0).float().mean()), float(clean[clean < 0].std())]
    return found, state.tuning["0"]["step_size"].tolist()


def sizes_table() -> str:
    """Returns published and own sizes of networks."""
    lines = ["| network | recipe | published | here |", "|---|---|---|---|"]
    lines += [f"| {name} | `{recipe}` | {told} | {size(recipe, shape):,} |" for name, recipe, shape, told in SIZES]
    return "\n".join(lines)


def law_table() -> str:
    """Returns the exact law, and what chains find of it, over seeds."""
    told = [one_dimension(seed) for seed in SEEDS]
    *shares, left, sd = zip(*(found for found, _ in told), strict=True)
    steps = [fmean(step) for step in zip(*(step for _, step in told), strict=True)]
    return "\n".join(
        [
            "| | exact | here |",
            "|---|---|---|",
            f"| shares of the levels, t = 0 to 6 | .1429 | {'; '.join(spread(share) for share in shares)} |",
            f"| P(left mode, t = 0) | .75 | {spread(left)} |",
            f"| s.d. of the left mode | .1 | {spread(sd, 5)} |",
            f"| adapted step sizes, t = 0 to 6 | {' '.join(f'{s:.3g}' for s in ADAPTED)}, of a correct sampler | "
            f"{' '.join(f'{s:.3g}' for s in steps)} |",
        ]
    )


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Returns the mean over seeds and its standard error."""
    return f"{fmean(values):.{digits}f} ± {stdev(values) / len(values) ** 0.5:.{digits}f}"


def write(page: Path = PAGE) -> None:
    """Writes both tables between their marks."""
    text = page.read_text(encoding="utf-8")
    for name, table in (("sizes", sizes_table()), ("law", law_table())):
        before, _, rest = text.partition(f"<!-- {name} -->")
        _, _, after = rest.partition("<!-- end -->")
        text = f"{before}<!-- {name} -->\n{table}\n<!-- end -->{after}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
    sys.stdout.write(f"{PAGE}\n")
