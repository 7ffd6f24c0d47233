"""Laws of the random streams: exact, wide, independent of the global one."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import Generator, nn

from ebmkit import rng
from ebmkit.rng import part_seed, seeded, stream


def first_words(generator: Generator, n: int = 3) -> tuple[int, ...]:
    return tuple(torch.randint(2**62, (n,), generator=generator).tolist())


def narrow_seed(seed: int, step: int, part: str) -> int:
    """Returns the 32 bits of a name's digest that torch's CPU generator reads when it is seeded with it."""
    digest = hashlib.blake2b(f"{seed}/{step}/{part}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 1) % 2**32


def colliding(n_steps: int) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """Returns pairs of (step, part) of one run whose narrow seeds are equal."""
    seen: dict[int, tuple[int, str]] = {}
    pairs = []
    for step in range(1, n_steps + 1):
        for part in ("data", "lift", "draw", "chains"):
            key = narrow_seed(0, step, part)
            if key in seen:
                pairs.append((seen[key], (step, part)))
            seen[key] = (step, part)
    return pairs


def test_streams_whose_narrow_seeds_are_equal_differ() -> None:
    pairs = colliding(60_000)
    assert len(pairs) >= 3, "a seed of 32 bits is shared by some of a quarter million streams"
    for (step, part), (other_step, other_part) in pairs:
        assert first_words(stream(0, step, part)) != first_words(stream(0, other_step, other_part))


def test_no_two_of_many_streams_begin_alike() -> None:
    begins = {first_words(stream(0, step, "chains"), 1) for step in range(5_000)}
    assert len(begins) == 5_000


def test_a_stream_is_the_mersenne_twister_from_its_own_state() -> None:
    words = np.frombuffer(hashlib.shake_256(b"3/7/chains").digest(4 * 624), dtype="<u4")
    reference = np.random.MT19937()
    reference.state = {"bit_generator": "MT19937", "state": {"key": words.copy(), "pos": 624}}
    drawn = torch.empty(1000, dtype=torch.float32).uniform_(generator=stream(3, 7, "chains"))
    assert drawn.tolist() == [(word & (2**24 - 1)) / 2**24 for word in reference.random_raw(1000).tolist()]


def test_normals_of_a_stream_are_standard_normal() -> None:
    rows = torch.stack([torch.randn(64, generator=stream(1, step, "chains")) for step in range(2_000)])
    assert abs(float(rows.mean())) < 4 / rows.numel() ** 0.5
    assert abs(float(rows.var()) - 1) < 4 * (2 / rows.numel()) ** 0.5
    first = rows[:, 0]
    assert abs(float(first.mean())) < 4 / len(first) ** 0.5, "the first draws of streams are no worse than later ones"
    neighbours = float((first[1:] * first[:-1]).mean())
    assert abs(neighbours) < 4 / len(first) ** 0.5, "and those of neighbouring steps are independent"


def test_initialisation_reads_a_whole_seed_and_leaves_the_global_stream_alone() -> None:
    seed = part_seed(0, "energy")
    before = torch.get_rng_state()
    layers = []
    for used in (seed, seed, seed + 2**40):
        with seeded(used):
            layers.append(nn.Linear(3, 3).weight)
    assert torch.equal(layers[0], layers[1]) and not torch.equal(layers[0], layers[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_layout_is_told_and_streams_still_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rng, "WORDS_AT", 32)
    rng._template.cache_clear()
    try:
        with pytest.warns(UserWarning, match="does not know"):
            first = first_words(stream(0, 1, "a"))
        assert first == first_words(stream(0, 1, "a")) != first_words(stream(0, 1, "b"))
    finally:
        monkeypatch.undo()
        rng._template.cache_clear()


@pytest.mark.cuda
def test_other_devices_read_their_seed_whole() -> None:
    draws = [torch.rand(3, generator=stream(0, 1, part, "cuda"), device="cuda").tolist() for part in ("a", "a", "b")]
    assert draws[0] == draws[1] != draws[2]
