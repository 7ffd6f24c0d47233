"""Published figures, reproduced: KL of two laws in the plane, and what score matching misses in 128 dimensions.

python docs/objectives_published.py                      all of it, about 30 CPU minutes; keeps what is finished
python docs/objectives_published.py --only checkerboard  one target

What it finds is kept in docs/objectives.json, under "published", and written into docs/objectives.md.

- In the plane (Aggarwal et al., 2025): KL(data ‖ model) of a level classification among a few levels (InfoNCE), of the
  score alone, and of both; the numbers that the paper prints stand beside ours.
- 40 modes in 128 dimensions (OuYang et al., 2026). Its code reports the level-classification loss over 128 levels,
  Fisher divergences and the ESS of weights at draws of the data, level by level. The printed errors, 383.5 for the
  score alone and 4.40 with classification, are in the range of the first: the exact density has 3.14 nats there, and
  who knows nothing log 128 = 4.85. Ours is that loss over our levels, beside the exact one; and `known-density`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch
from objectives_cell import judged, steps_for, trained
from objectives_measured import read, say, write
from objectives_page import write_page
from objectives_rows import MIXTURE, ROWS, TARGETS, Row, Target
from torch import Tensor

from ebmkit.data.mixture import GaussianMixture, mixture
from ebmkit.data.mixture_config import GaussianMixtureConfig
from ebmkit.errors import EbmkitError, RunError
from ebmkit.point import Point
from ebmkit.sampling.model import Model

DIMENSIONS = 128
FAR = Target(
    kind=MIXTURE, sd=1.0, title="40 modes in 128 dimensions", data={"use": "gaussian-mixture", "dimensions": DIMENSIONS}
)
SIDES: Mapping[str, Row] = {
    "InfoNCE alone": ROWS["info-nce"],
    "score alone": ROWS["dsm-levels"],
    "InfoNCE + score": ROWS["info-nce-dsm"],
    "both": ROWS["classification-dsm"],
}
SECONDS = {"eight-gaussians": 60.0, "checkerboard": 120.0, "mixture-128": 300.0}
N = 2_000


def noisy(model: Model, x: Tensor, level: int, rng: torch.Generator) -> tuple[Point, float, float]:
    """Returns x at a level, and how much of it is kept and the s.d. of its noise, data units."""
    coordinate: Any = next(one for one in model.coordinates if one.name == "level")
    point = Point(x=x).with_aux(level=torch.full((len(x),), level))
    kept, sigma = (float(part[0]) for part in coordinate.noise(point))
    return point.replace(x=kept * x + sigma * torch.randn(x.shape, generator=rng)), kept, sigma


def classification_losses(model: Model, law: GaussianMixture) -> tuple[float, float]:
    """Returns mean −log p(t | x_t) over all levels, nats: of the model, and of the exact densities."""
    rng = torch.Generator().manual_seed(7)
    x, _ = law.draw(N // 10, rng)
    n_levels = int(next(one for one in model.coordinates if one.name == "level").n_values or 0)
    lifted = [noisy(model, x, level, rng) for level in range(n_levels)]
    laws = [
        GaussianMixture(
            log_weights=law.log_weights, means=kept * law.means, sd=(kept**2 * law.sd.square() + sigma**2).sqrt()
        )
        for _, kept, sigma in lifted
    ]
    own, exact = [], []
    for level, (point, _, _) in enumerate(lifted):
        energies = model.view().levels(point, "level").double() / model.temperature
        own.append(-torch.log_softmax(-energies, dim=1)[:, level].mean())
        values = torch.stack([one.log_density(point.x.double()) for one in laws], dim=1)
        exact.append(-torch.log_softmax(values, dim=1)[:, level].mean())
    return float(torch.stack(own).mean()), float(torch.stack(exact).mean())


def measured(side: str, on: str, seed: int, seconds: float) -> dict[str, Any]:
    """Returns the numbers of one side on one target."""
    torch.set_num_threads(1)
    row, target = SIDES[side], TARGETS.get(on, FAR)
    try:
        steps = steps_for(seconds, row, target, seed, {})
        model, spent = trained(row, target, seed, steps, {})
        found = judged(model, target)
    except RunError:  # it was interrupted, and is no result
        raise
    except EbmkitError as error:
        return {"failed": str(error).splitlines()[0][:300]}
    if target is FAR:
        law = mixture(GaussianMixtureConfig(dimensions=DIMENSIONS))
        found["classification"], found["exact"] = classification_losses(model, law)
    return {**found, "steps": steps, "seconds": spent}


def main() -> None:
    """Measures what the ledger lacks, and writes the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="targets or sides, with commas")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="CPU seconds of each instead of the usual ones")
    asked = parser.parse_args()
    only = {name for name in asked.only.split(",") if name}
    for on, usual in SECONDS.items():
        for side in SIDES:
            for seed in range(asked.seeds):
                is_left_out = any(only & named and name not in only for named, name in chosen_of(on, side))
                if not is_left_out:
                    keep(on, side, seed, asked.seconds or usual)
    write_page(read())


def chosen_of(on: str, side: str) -> tuple[tuple[set[str], str], ...]:
    """Returns all targets with this one, and all sides with this one."""
    return ({*SECONDS}, on), ({*SIDES}, side)


def keep(on: str, side: str, seed: int, seconds: float) -> None:
    """Measures one, unless it is kept already."""
    key, ledger = f"{side}|{on}|{seed}", read()
    if ledger["published"].get(key, {}).get("asked") == seconds:
        return
    found = measured(side, on, seed, seconds)
    ledger = read()
    ledger["published"][key] = {**found, "asked": seconds}
    write(ledger)
    numbers = (f"{name} {value:.4g}" for name, value in found.items() if isinstance(value, float))
    say(f"{key}: {found.get('failed', '') or '  '.join(numbers)}")


if __name__ == "__main__":
    main()
