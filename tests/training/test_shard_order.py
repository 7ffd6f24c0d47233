"""Laws of the order in which an epoch takes the rows of shards."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.training.shard_order import next_shards, shard_rows

sizes_of = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(sum)


@given(sizes_of, st.integers(1, 5), st.integers(1, 7), st.integers(1, 4), st.integers(0, 99))
def test_an_epoch_visits_each_datum_once_on_any_number_of_ranks(sizes, mixed, batch_size, world, seed) -> None:
    n, n_steps = sum(sizes), -(-3 * sum(sizes) // (batch_size * world))
    rows = torch.cat([
        shard_rows(sizes, mixed, batch_size, step, seed, rank, world)
        for step in range(1, n_steps + 1) for rank in range(world)
    ])  # fmt: skip
    for epoch in range(3):
        assert sorted(rows[epoch * n : (epoch + 1) * n].tolist()) == list(range(n))


@given(sizes_of, st.integers(1, 5), st.integers(1, 7), st.integers(1, 5), st.integers(0, 99))
def test_ranks_part_what_one_process_takes(sizes, mixed, batch_size, world, seed) -> None:
    parts = [shard_rows(sizes, mixed, batch_size, 3, seed, rank, world) for rank in range(world)]
    assert torch.cat(parts).equal(shard_rows(sizes, mixed, batch_size * world, 3, seed))


def test_few_shards_are_read_at_a_time_and_the_next_are_known() -> None:
    sizes, seen = (10,) * 12, list[int]()
    for step in range(1, 31):
        shards = sorted(set((shard_rows(sizes, 3, 4, step, 0) // 10).tolist()))
        seen += [shard for shard in shards if shard not in seen]
        window = (step * 4 - 1) // 30
        assert set(seen) == set(seen[: 3 * (window + 1)])
        if step * 4 % 30 == 0 and step < 30:
            assert set(next_shards(sizes, 3, 4, step, 0)) == set(
                (shard_rows(sizes, 3, 30, window + 2, 0) // 10).tolist()
            )


def test_epochs_and_seeds_differ() -> None:
    one, other, seeded = (shard_rows((8, 8), 2, 16, step, seed) for step, seed in ((1, 0), (2, 0), (1, 1)))
    assert not one.equal(other)
    assert not one.equal(seeded)


def test_a_set_of_any_length_costs_no_memory_of_its_length() -> None:
    sizes = (10_000,) * 1_000_000  # ten billion data
    assert shard_rows(sizes, 2, 4, 12_345, 0).max() < 10**10
