"""Makes of a run directory a small one that comes with ebmkit.

python docs/ship_run.py RUN NAME           write the run to ebmkit/pretrained/NAME, at most 4 MB
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ebmkit.errors import EbmkitError
from ebmkit.runs.files.located import FOLDER
from ebmkit.runs.loaded import load
from ebmkit.runs.outputs.shipping import ship
from ebmkit.sampling.model import Model


def main() -> None:
    """Ships a run, and says what it takes and what rounding its weights has changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", default="", help="set that comes with ebmkit, to judge it on instead of its own")
    asked = parser.parse_args()
    to = FOLDER / asked.name
    try:
        sizes = ship(asked.run, to, data=asked.data)
        whole, small = load(asked.run, device="cpu").model, load(to).model
    except EbmkitError as error:
        sys.exit(str(error))
    lines = [f"{size:>10,}  {name}" for name, size in {**sizes, "in all, bytes": sum(sizes.values())}.items()]
    sys.stdout.write("\n".join([*lines, changes(whole, small)]) + "\n")


def changes(whole: Model, small: Model, n: int = 500) -> str:
    """Returns how far the energies, and the latents of an encoder, are from those before the weights were rounded."""
    import torch
    from torch.nn import functional

    from ebmkit.assembly.build import build_dataset
    from ebmkit.protocols.guided import Encodes

    dataset = build_dataset(whole.recipe.part("data"), "cpu")
    x = dataset.batch(torch.arange(min(n, len(dataset))), torch.Generator().manual_seed(0)).x
    with torch.no_grad():
        before, after = (model.energy(x) for model in (whole, small))
    error = float((after - before).abs().max() / before.std())
    said = [f"energies of {len(x)} data: changed by at most {error:.2g} of their standard deviation"]
    for name, objective in whole.objectives.items():
        other = small.objectives[name]
        if isinstance(objective, Encodes) and isinstance(other, Encodes):
            cosine = functional.cosine_similarity(objective.encode(x), other.encode(x)).min()
            said.append(f"latents of {name}: cosine with what they were at least {float(cosine):.4f}")
    return "\n".join(said)


if __name__ == "__main__":
    main()
