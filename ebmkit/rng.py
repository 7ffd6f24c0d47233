"""Every random stream: a function of a seed, a step and a part, without state to save."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator


def stream(seed: int, step: int, part: str, device: torch.device | str = "cpu") -> Generator:
    """Returns the random stream of (seed, step, part): independent streams, and no state to save."""
    digest = hashlib.blake2b(f"{seed}/{step}/{part}".encode(), digest_size=8).digest()
    rng = Generator(device=device)
    rng.manual_seed(int.from_bytes(digest, "little") >> 1)
    return rng


def part_seed(seed: int, part: str) -> int:
    """Returns the initialisation seed of one part of a run."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/init/{part}".encode(), digest_size=8).digest(), "little") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch's own initialisers draw from a seed; the global CPU stream is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
