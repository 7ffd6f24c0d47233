"""Compositions of known laws show their concepts; those of an energy that ignores the class, by chance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import RecipeError
from ebmkit.metrics.composition import build_composition, chance, composed, pairs_of, shown_concepts
from ebmkit.metrics.declarations.conditions import CompositionConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Measured
from tests.metrics.conditioned import BRIGHTEST, MEANS, SD, Classes, Latents, subject
from tests.metrics.test_conditional import latents_of_classes  # noqa: F401

LEAST = {"and": 0.9, "or": 0.95, "not": 0.9}


def measured(energy: Any, n: int = 150, **settings: Any) -> Measured:
    config = CompositionConfig(features=BRIGHTEST, pairs=("0+2",), n=n, **settings)
    return build_composition(config, BuildContext()).measure(subject(energy))


def holds_the_known_law(found: Measured) -> bool:
    return all(found.estimates[f"a {op} c: all of it"].value >= least for op, least in LEAST.items())


@pytest.mark.parametrize("energy", [Classes(), Latents()], ids=["labels", "latents"])
def test_compositions_of_known_laws_show_their_concepts(energy: Any) -> None:
    found = measured(energy)
    assert holds_the_known_law(found)
    assert found.estimates["a or c: first"].value == pytest.approx(0.5, abs=0.15)  # the two densities weigh the same
    assert len(found.estimates) == 9 and "By chance, all of it: 0.17, 0.5, 0.17" in found.definition
    assert found.estimates["a and c: all of it"].n == 150 and set(found.pictures) == {"compositions"}


def test_an_energy_that_ignores_the_label_is_found_out() -> None:
    found = measured(Classes(ignores=True))
    assert not holds_the_known_law(found)
    for op, share in zip(("and", "or"), chance(4), strict=False):
        estimate = found.estimates[f"a {op} c: all of it"]
        assert estimate.error is not None and abs(estimate.value - share) < 4 * estimate.error


def test_a_weaker_latent_composes_less() -> None:
    weak, whole = (measured(Latents(), strength=s).estimates["a or c: all of it"].value for s in (0.05, 1.0))
    assert weak < whole - 0.1


def test_the_product_of_two_classes_is_the_gaussian_between_them() -> None:
    judged = subject(Classes())
    x = judged.generate(1500, model=composed(judged.model, "and", 0, 2, 0.5), transitions=8).x.flatten(1)
    assert torch.allclose(x.mean(dim=0), (MEANS[0] + MEANS[2]) / 2, atol=5 * SD / 1500**0.5)
    assert torch.allclose(x.std(dim=0), torch.full((4,), SD / 2**0.5), rtol=0.1)


def test_a_class_that_is_taken_away_moves_the_mean_from_it() -> None:
    judged, weight = subject(Classes()), 0.25
    x = judged.generate(1500, model=composed(judged.model, "not", 0, 2, weight), transitions=8).x.flatten(1)
    wanted = (MEANS[0] - weight * MEANS[2]) / (1 - weight)
    assert torch.allclose(x.mean(dim=0), wanted, atol=5 * SD / (0.75 * 1500) ** 0.5)


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1000))
def test_concepts_that_are_all_there_are_there_one_by_one(first: int, second: int, seed: int) -> None:
    logits = torch.randn(50, 4, generator=torch.Generator().manual_seed(seed))
    for op in ("and", "not"):
        one, other, every = shown_concepts(op, logits, first, second)
        assert torch.equal(every, one & other)
    one, other, either = shown_concepts("or", logits, first, second)
    assert torch.equal(either, one | other)


def test_chance_is_that_of_random_orders() -> None:
    logits = torch.randn(40_000, 5, generator=torch.Generator().manual_seed(0))
    for op, share in zip(("and", "or", "not"), chance(5), strict=True):
        assert float(shown_concepts(op, logits, 1, 3)[2].float().mean()) == pytest.approx(share, abs=0.01)


def test_pairs_are_read_by_number_and_name() -> None:
    model = subject(Classes()).model
    assert pairs_of(model, ("0+3", "b + c"), torch.Generator()) == [(0, 3), (1, 2)]
    drawn = [pairs_of(model, (), torch.Generator().manual_seed(5)) for _ in range(2)]
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 2 and all(a < b for a, b in drawn[0])
    for text, words in (("3", "is no pair"), ("1+1", "one class twice"), ("0+hat", r"unknown\. Classes: 0 a, 1 b")):
        with pytest.raises(RecipeError, match=words):
            pairs_of(model, (text,), torch.Generator())
