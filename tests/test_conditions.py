from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.conditions import parse_terms, trained_strength
from ebmkit.errors import RecipeError


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(-40, 40)), min_size=1, max_size=5))
def test_weighted_classes_are_read_back(terms: list[tuple[int, int]]) -> None:
    text = ",".join(f"class:{label}*{weight / 8}" for label, weight in terms)
    assert parse_terms(text) == [("class", str(label), weight / 8) for label, weight in terms]


def test_a_weight_may_be_left_out_and_a_file_may_hold_a_star() -> None:
    assert parse_terms("class:3, image:a*b.png, image:a*b.png*-2") == [
        ("class", "3", 1.0),
        ("image", "a*b.png", 1.0),
        ("image", "a*b.png", -2.0),
    ]


@pytest.mark.parametrize("text", ["", "class:", "klass:3", "3", "class:3,", "*2"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(RecipeError, match=r"class:K, image:FILE"):
        parse_terms(text)


def test_the_strength_of_training_is_found_inside_other_wrappers() -> None:
    head = SimpleNamespace(beta=0.02, inner=None)
    assert trained_strength(SimpleNamespace(inner=SimpleNamespace(inner=head))) == 0.02
    assert trained_strength(SimpleNamespace(inner=None)) == 1.0
