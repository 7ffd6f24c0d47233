"""Traits: the words that follow from them, and those of several samplers in turn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit import PluginError
from ebmkit.protocols.traits import SamplerTraits, joined

TAILS = st.sampled_from(["keeps", "passes", "refuses"])


def traits_of(adjusted: bool, bias_order: int | None, **said: Any) -> SamplerTraits:
    return SamplerTraits(adjusted=adjusted, bias_order=None if adjusted else bias_order, **said)


TRAITS = st.builds(
    traits_of,
    moves=st.sets(st.sampled_from(["x", "level", "label"]), min_size=1).map(frozenset),
    adjusted=st.booleans(), discrete=st.booleans(), asks_gradient=st.booleans(), tail=TAILS,
    bias_order=st.sampled_from([None, 1, 2]),
)  # fmt: skip


def test_a_stranger_may_write_a_plain_set() -> None:
    traits = SamplerTraits(moves={"x"})  # type: ignore[arg-type]
    assert traits == SamplerTraits() and traits.moves_x and not traits.coordinates and hash(traits)


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        (SamplerTraits(), {"sampler.unadjusted"}),
        (SamplerTraits(asks_gradient=False, tail="passes"), set()),
        (SamplerTraits(adjusted=True, discrete=True), {"sampler.exact", "sampler.discrete"}),
        (SamplerTraits(moves=frozenset({"level"}), adjusted=True, tail="passes"), {"sampler.exact", "moves.level"}),
        (SamplerTraits(moves=frozenset({"x", "p"}), tail="keeps"), {"sampler.unadjusted", "sampler.tail", "moves.p"}),
    ],
)
def test_words(traits: SamplerTraits, words: set[str]) -> None:
    assert traits.words == words


@given(st.lists(TRAITS, min_size=1, max_size=4))
def test_several_in_turn_are_exact_together_and_differ_in_order_only_by_their_tail(parts: list[SamplerTraits]) -> None:
    whole = joined(parts)
    assert whole.moves == set().union(*(p.moves for p in parts)) and whole.adjusted == all(p.adjusted for p in parts)
    assert joined([whole]) == whole or not whole.adjusted
    after = joined([*parts, SamplerTraits(moves=frozenset({"level"}), adjusted=True, tail="passes")])
    assert after.tail == whole.tail and joined([*parts, SamplerTraits(tail="keeps")]).tail == "keeps"


def test_the_bias_of_several_is_that_of_the_worst() -> None:
    first, second = SamplerTraits(bias_order=1), SamplerTraits(bias_order=2)
    assert joined([second, first, SamplerTraits(adjusted=True)]).bias_order == 1
    assert joined([second, SamplerTraits()]).bias_order is None, "one whose order nobody knows"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"moves": "label"}, "set of names"),
        ({"tail": "keep"}, "keeps"),
        ({"adjusted": True, "bias_order": 2}, "no bias"),
    ],
)
def test_traits_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        SamplerTraits(**wrong)
