"""Omniglot at 28×28, as the results have it: python docs/omniglot_npz.py FOLDER, where FOLDER has the original files.

These are images_background_small1.zip and images_background_small2.zip of github.com/brendenlake/omniglot. Characters
that are in both are taken once; drawings are reduced by Pillow's Lanczos filter, and become white on black. Writes
FOLDER/omniglot.npz, with x of shape [4840, 28, 28], uint8.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import numpy as np
from PIL import Image

SIZE = 28


def drawings(files: list[Path]) -> np.ndarray:
    """Returns the drawings of all files in the order of their names, white on black, as [N, 28, 28] uint8."""
    found: dict[PurePosixPath, np.ndarray] = {}
    for file in files:
        with ZipFile(file) as archive:
            for name in sorted(archive.namelist()):
                path = PurePosixPath(name)
                known = PurePosixPath(*path.parts[1:])
                if path.suffix == ".png" and not name.startswith("__") and known not in found:
                    with archive.open(name) as opened:
                        image = Image.open(opened).convert("L").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
                    found[known] = 255 - np.asarray(image)
    return np.stack([found[name] for name in sorted(found)])


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    x = drawings([folder / f"images_background_small{number}.zip" for number in (1, 2)])
    np.savez_compressed(folder / "omniglot.npz", x=x)
    sys.stdout.write(f"{folder / 'omniglot.npz'}: {len(x):,} drawings\n")
