"""Runs and files that reference pages speak of without making them: small ones, made when a page first needs them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ebmkit.cli.main import main
from tests.docs.blocks import ROOT

SMALL = (
    "--energy resnet --sampler sgld --steps 2 --set sampler.sgld.moves=1 --set energy.widths=[4,8] "
    "--set run.batch_size=8 --set buffer.capacity=40 --set data.limit=200 --set log.tensorboard=false"
)
LABELLED = f"run --coordinate label --set energy.labels=true {SMALL}"
GUIDED = f"run --objective clel {SMALL}"
LEVELS = "run --recipe da-rings --steps 20 --set log.tensorboard=false --set buffer.capacity=400"


def train(words: str) -> Callable[[Path], None]:
    """Returns what trains a run into a directory."""

    def make(path: Path) -> None:
        assert main([*words.split(), "--out", str(path)]) == 0, words

    return make


def picture(path: Path) -> None:
    """Writes a grey picture, dark on the left."""
    pixels = np.zeros((28, 28), dtype=np.uint8)
    pixels[:, 14:] = 255
    Image.fromarray(pixels).save(path)


def pictures(path: Path) -> None:
    """Writes a folder of pictures."""
    path.mkdir()
    for name in ("one.png", "two.png", "three.png"):
        picture(path / name)


MAKERS: Mapping[str, Callable[[Path], None]] = {
    "runs/demo": train(GUIDED),
    "runs/mine": train(LABELLED),
    "runs/levels": train(LEVELS),
    "mask.png": picture,
    "photo.png": picture,
    "garment.png": picture,
    "pictures": pictures,
}
ALSO = {"runs/longer": "runs/demo", "runs/a": "runs/demo", "runs/b": "runs/demo", "runs/c": "runs/demo"}
USED: Mapping[str, tuple[str, ...]] = {
    "docs/cli.md": ("runs/demo", "runs/levels", "runs/longer", "mask.png", "garment.png", "pictures"),
    "docs/samples.md": ("runs/mine", "runs/demo", "mask.png", "photo.png"),
    "docs/composition.md": ("runs/a", "runs/b", "runs/c"),
}
"""What each page finds in the folder that it is read in."""


class Shelf:
    """Makes each thing once and copies it to whoever needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lend(self, page: Path, folder: Path) -> None:
        """Copies what a page needs into a folder, beside the examples of the repository."""
        (folder / "examples").symlink_to(ROOT / "examples")
        for name in next((names for path, names in USED.items() if page.match(path)), ()):
            made = self._made(ALSO.get(name, name))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if made.is_dir() else shutil.copy)(made, folder / name)

    def _made(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            MAKERS[name](path)
        return path
