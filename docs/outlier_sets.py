"""Sets of other data, as the results have them: python docs/outlier_sets.py FOLDER makes those whose files are there.

FOLDER has the original files of some of these sets, and gets SET.npz with images x, uint8:

emnist-letters  emnist-letters-test-images-idx3-ubyte.gz, of the archive gzip.zip of EMNIST; [20800, 28, 28], upright
omniglot        images_background_small1.zip and images_background_small2.zip, of github.com/brendenlake/omniglot;
                [4840, 28, 28]: characters that are in both once, reduced by Pillow's Lanczos filter, white on black
cifar100-test   cifar-100-binary.tar.gz, of cs.toronto.edu/~kriz/cifar.html; [10000, 3, 32, 32]
svhn-mini       train_32x32.mat, of ufldl.stanford.edu/housenumbers; its first 320 digits [320, 3, 32, 32], with scipy
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import numpy as np
from PIL import Image

from ebmkit.data.idx import read_idx

SIZE = 28
N_DIGITS = 320


def letters(file: Path) -> np.ndarray:
    """Returns letters of EMNIST, whose files have rows and columns exchanged, as [N, 28, 28] uint8."""
    return np.asarray(read_idx(file, 3)).swapaxes(1, 2)


def drawings(*files: Path) -> np.ndarray:
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


def things(file: Path) -> np.ndarray:
    """Returns the test images of CIFAR-100 as [10000, 3, 32, 32] uint8; before each stand two bytes, its labels."""
    with tarfile.open(file) as archive:
        opened = archive.extractfile("cifar-100-binary/test.bin")
        if opened is None:
            raise OSError(f"{file} has no cifar-100-binary/test.bin")
        return np.frombuffer(opened.read(), np.uint8).reshape(-1, 2 + 3 * 32 * 32)[:, 2:].reshape(-1, 3, 32, 32)


def digits(file: Path) -> np.ndarray:
    """Returns the first digits of SVHN's training set as [320, 3, 32, 32] uint8."""
    from scipy.io import loadmat

    return loadmat(file)["X"][..., :N_DIGITS].transpose(3, 2, 0, 1)


SETS: dict[str, tuple[Callable[..., np.ndarray], tuple[str, ...]]] = {
    "emnist-letters": (letters, ("emnist-letters-test-images-idx3-ubyte.gz",)),
    "omniglot": (drawings, ("images_background_small1.zip", "images_background_small2.zip")),
    "cifar100-test": (things, ("cifar-100-binary.tar.gz",)),
    "svhn-mini": (digits, ("train_32x32.mat",)),
}


def main(folder: Path) -> int:
    """Writes the sets whose files are in the folder; returns how many."""
    n_written = 0
    for name, (images, files) in SETS.items():
        missing = [file for file in files if not (folder / file).exists()]
        if missing:
            sys.stdout.write(f"{name}: left out, {folder} has no {', no '.join(missing)}\n")
            continue
        x = np.ascontiguousarray(images(*(folder / file for file in files)))
        np.savez_compressed(folder / f"{name}.npz", x=x)
        sys.stdout.write(f"{folder / name}.npz: {len(x):,} images\n")
        n_written += 1
    return n_written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(0 if main(Path(sys.argv[1])) else 1)
