"""The order of wrappers: givers inside, those who hide outside, whatever the order in which they were named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import CapabilityError
from ebmkit.recipes.resolver.ordering import Capabilities, ordered

words = st.frozensets(st.sampled_from("abcd"), max_size=2)
parts = st.dictionaries(
    st.sampled_from(["p", "q", "r", "s"]), st.builds(Capabilities, needs=words, gives=words, hides=words), min_size=1
)


def of(needs: str = "", gives: str = "", hides: str = "") -> Capabilities:
    return Capabilities(needs=frozenset(needs), gives=frozenset(gives), hides=frozenset(hides))


def test_a_giver_comes_before_those_that_need_its_word() -> None:
    assert ordered({"a": of(needs="x"), "b": of(needs="y", gives="x"), "c": of(gives="y")}) == ["c", "b", "a"]


def test_one_that_hides_a_word_comes_after_those_that_need_it() -> None:
    assert ordered({"a": of(hides="x"), "b": of(needs="x")}) == ["b", "a"]


def test_one_that_hides_a_word_to_give_it_anew_comes_before_those_that_need_it() -> None:
    assert ordered({"b": of(hides="x", gives="x"), "a": of(needs="x")}) == ["b", "a"]


def test_two_that_alter_a_word_go_by_name() -> None:
    assert ordered({"b": of(needs="x", gives="x"), "a": of(needs="x", gives="x")}) == ["a", "b"]


def test_a_circle_is_named() -> None:
    with pytest.raises(CapabilityError, match=r"before another: a, b\."):
        ordered({"a": of(needs="x", gives="y"), "b": of(needs="y", gives="x"), "c": of()})


@given(parts, st.randoms())
def test_the_order_of_naming_makes_no_difference(parts: dict[str, Capabilities], random: object) -> None:
    names = list(parts)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert _or_error(parts) == _or_error({name: parts[name] for name in names})


@given(parts)
def test_needs_come_after_gifts_and_before_hiding(parts: dict[str, Capabilities]) -> None:
    order = _or_error(parts)
    if isinstance(order, str):
        return
    assert sorted(order) == sorted(parts)
    for i, first in enumerate(order):
        for second in order[i + 1 :]:
            needed = parts[first].needs & parts[second].gives
            assert needed <= parts[first].gives & parts[second].needs, "only what both alter may come late"
            assert not parts[second].needs & parts[first].hides - parts[first].gives


def _or_error(parts: dict[str, Capabilities]) -> list[str] | str:
    try:
        return ordered(parts)
    except CapabilityError as error:
        return str(error)
