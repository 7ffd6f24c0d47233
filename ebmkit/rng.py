"""Every random stream: a function of a seed, a step and a part, without state to save."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch import Generator

N_WORDS, WORDS_AT = 624, 24
"""Words of 32 bits in the state of mt19937, and where torch's state of a CPU generator holds them, each in 8 bytes."""


def stream(seed: int, step: int, part: str, device: torch.device | str = "cpu", rank: int = 0) -> Generator:
    """Returns the random stream of (seed, step, part, rank): independent streams, and no state to save.

    Torch's CPU generator reads 32 bits of a seed, which is too few: of a million streams about a hundred would share
    theirs with another. There the whole state is drawn from the name; other devices read 64 bits.
    """
    rng = Generator(device=device)
    _start(rng, f"{seed}/{step}/{part}" + (f"/rank {rank}" if rank else ""))
    return rng


def part_seed(seed: int, part: str) -> int:
    """Returns the initialisation seed of one part of a run, of 63 bits."""
    return _number(f"{seed}/init/{part}")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, torch's own initialisers draw from a seed; the global CPU stream is as before afterwards."""
    with torch.random.fork_rng(devices=[]):
        _start(torch.default_generator, f"{seed}")
        yield


def _start(rng: Generator, name: str) -> None:
    """Puts a generator at the start of the stream of a name."""
    template = _template() if rng.device.type == "cpu" else None
    if template is None:
        rng.manual_seed(_number(name))
        return
    state = template.copy()
    words = np.frombuffer(hashlib.shake_256(name.encode()).digest(4 * N_WORDS), dtype="<u4")
    _words(state)[:] = words
    rng.set_state(torch.from_numpy(state))


def _number(name: str) -> int:
    """Returns 63 bits of a name's digest."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def _words(state: np.ndarray) -> np.ndarray:
    """Returns the words [624] of a CPU generator's state, to be read or written in place."""
    return state[WORDS_AT : WORDS_AT + 8 * N_WORDS].view(np.uint64)


@cache
def _template() -> np.ndarray | None:
    """Returns the state of a freshly seeded CPU generator; None where this torch lays it out in another way."""
    seed = 5489
    state: np.ndarray = Generator().manual_seed(seed).get_state().numpy()
    expected = [seed]
    for i in range(1, N_WORDS):  # how mt19937 fills its state from a seed (Matsumoto, Nishimura, 1998)
        expected.append((1812433253 * (expected[-1] ^ (expected[-1] >> 30)) + i) % 2**32)
    if len(state) >= WORDS_AT + 8 * N_WORDS and _words(state).tolist() == expected:
        return state
    warnings.warn(
        f"torch {torch.__version__} keeps the state of its CPU generator in a form that ebmkit does not know. Streams "
        "are seeded with 32 bits instead, so their numbers are others than with a torch that it knows, and of a "
        "million streams about a hundred share theirs.",
        stacklevel=3,
    )
    return None
