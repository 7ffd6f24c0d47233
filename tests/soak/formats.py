"""A small data set in each format of files."""

from __future__ import annotations

import gzip
import pickle
import struct
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ebmkit.data.cifar import BATCHES

N, SIDE = 24, 8
PIXELS = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE), dtype=np.uint8)
LABELS = np.arange(N) % 3
DATA = "data"
"""Folder below that of the run, from which it is read: runs are copied with their data."""


def npz(folder: Path) -> dict[str, Any]:
    """Writes arrays as numpy saves them, without compression."""
    np.savez(folder / "data.npz", x=PIXELS, y=LABELS)
    return {"use": "npz", "path": f"{DATA}/data.npz"}


def compressed_npz(folder: Path) -> dict[str, Any]:
    """Writes arrays as numpy compresses them."""
    np.savez_compressed(folder / "data.npz", x=PIXELS, y=LABELS)
    return {"use": "npz", "path": f"{DATA}/data.npz"}


def idx(folder: Path, pack: Callable[[bytes], bytes] = bytes, suffix: str = "") -> dict[str, Any]:
    """Writes the files of MNIST."""
    images = struct.pack(">4B3I", 0, 0, 8, 3, N, SIDE, SIDE) + PIXELS.tobytes()
    labels = struct.pack(">4BI", 0, 0, 8, 1, N) + LABELS.astype(np.uint8).tobytes()
    (folder / f"train-images-idx3-ubyte{suffix}").write_bytes(pack(images))
    (folder / f"train-labels-idx1-ubyte{suffix}").write_bytes(pack(labels))
    return {"use": "mnist", "root": DATA}


def packed_idx(folder: Path) -> dict[str, Any]:
    """Writes the files of MNIST, gzipped."""
    return idx(folder, gzip.compress, ".gz")


def cifar10(folder: Path) -> dict[str, Any]:
    """Writes the pickled batches of CIFAR-10."""
    values = np.random.default_rng(1).integers(0, 256, (4, 3072), dtype=np.uint8)
    for name in BATCHES["train"]:
        (folder / name).write_bytes(pickle.dumps({"data": values, "labels": [0, 1, 2, 3]}, protocol=4))
    return {"use": "cifar10", "root": DATA}


def pictures(folder: Path, suffix: str = "png") -> dict[str, Any]:
    """Writes pictures in a folder for each class."""
    for row in range(N):
        path = folder / str(LABELS[row]) / f"{row:02d}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(PIXELS[row]).save(path)
    return {"use": "folder", "path": DATA}


def jpegs(folder: Path) -> dict[str, Any]:
    """Writes pictures that no checksum protects."""
    return pictures(folder, "jpg")


def npz_shards(folder: Path) -> dict[str, Any]:
    """Writes arrays in three files."""
    for shard, rows in enumerate(np.array_split(np.arange(N), 3)):
        np.savez(folder / f"{shard}.npz", x=PIXELS[rows], y=LABELS[rows])
    return {"use": "shards", "path": DATA, "n_classes": 3}


def tar_shards(folder: Path) -> dict[str, Any]:
    """Writes pictures in three archives."""
    for shard, rows in enumerate(np.array_split(np.arange(N), 3)):
        with tarfile.open(folder / f"{shard}.tar", "w") as archive:
            for row in rows:
                packed = BytesIO()
                Image.fromarray(PIXELS[row]).save(packed, "PNG")
                for suffix, content in (("png", packed.getvalue()), ("cls", str(LABELS[row]).encode())):
                    member = tarfile.TarInfo(f"{row:02d}.{suffix}")
                    member.size = len(content)
                    archive.addfile(member, BytesIO(content))
    return {"use": "shards", "path": DATA, "n_classes": 3}


WRITTEN: tuple[Callable[[Path], dict[str, Any]], ...] = (
    npz, compressed_npz, idx, packed_idx, cifar10, pictures, jpegs, npz_shards, tar_shards,
)  # fmt: skip
