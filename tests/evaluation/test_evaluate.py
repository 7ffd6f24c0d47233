"""One path for every number: the same samples for all metrics, and refusals before anything is drawn."""

from __future__ import annotations

import pytest
import torch

import ebmkit
from ebmkit.errors import CapabilityError, DataError, DivergenceError, RecipeError
from ebmkit.evaluation.evaluate import metrics_of
from ebmkit.evaluation.needs import words_of
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.tables import EvalConfig
from tests.evaluation.moments import Failing, Moments, register, small_model

FEW = {"n": 12, "n_data": 20, "transitions": 3}


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def subject(**config: int) -> ModelSubject:
    return ModelSubject(model=small_model(), config=EvalConfig(**{**FEW, **config}))


def test_a_number_is_a_function_of_the_seed() -> None:
    first, again, other = (ebmkit.evaluate(small_model(), "moments", seed=s, **FEW) for s in (1, 1, 2))
    assert first["moments"] == again["moments"] != other["moments"]
    assert (first.n, first.seed, first.weights) == (12, 1, "averaged")
    assert "mala, 3 transitions" in first.sampling and "gradients a sample" in first.sampling


def test_what_differs_from_the_recipe_is_said() -> None:
    found = ebmkit.evaluate(small_model(), "moments", **FEW)
    assert any("transitions = 3; [sample] of the run leaves it open" in note for note in found.notes)


def test_all_metrics_see_the_same_samples_and_data() -> None:
    one = subject()
    assert one.samples() is one.samples() and one.drawn is one.samples()
    assert torch.equal(one.data("train").x, one.data("train").x)
    assert torch.equal(one.data("train", 5).x, one.data("train", 20).x[:5])
    assert not torch.equal(one.data("train").x, one.data("test").x)
    assert not torch.equal(one.data("train").x, subject(seed=3).data("train").x)


def test_samples_that_cannot_be_had_are_drawn_once_and_refused_to_each(monkeypatch: pytest.MonkeyPatch) -> None:
    one, drawn = subject(), list[int]()

    def generate(n: int) -> None:
        drawn.append(n)
        raise DivergenceError("not finite")

    monkeypatch.setattr(one, "generate", generate)
    for _ in range(2):
        with pytest.raises(DivergenceError, match="not finite"):
            one.samples()
    assert drawn == [12]


def test_energies_are_those_of_the_model_whatever_the_chunks() -> None:
    x = torch.randn(1203, 2)
    torch.testing.assert_close(subject().energy(x), small_model().energy(x).detach())


def test_a_metric_that_is_handed_over_is_measured() -> None:
    found = ebmkit.evaluate(small_model(), Moments(), **FEW)
    assert found.metrics[0].estimates["mean"].n == 12
    assert "mean" in str(found) and "moments of samples" in str(found)


def test_one_that_fails_leaves_the_others_their_numbers() -> None:
    found = ebmkit.evaluate(small_model(), "moments+failing", **FEW)
    assert [judged.name for judged in found.metrics] == ["moments"]
    assert "failing has no numbers: there is no number to be had" in str(found)
    with pytest.raises(DataError, match="no number to be had"):
        ebmkit.evaluate(small_model(), Failing(), **FEW)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ("needing", CapabilityError, r"needs an energy with a latent \(energy\.latent\).*Train one"),
        ("momments", RecipeError, "Did you mean 'moments'"),
        ("moments", RecipeError, "n"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_drawn(
    asked: str, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError("chains were drawn")

    monkeypatch.setattr("ebmkit.evaluation.subject.shown", drawn)
    settings = {**FEW, "n": 0} if asked == "moments" else FEW
    with pytest.raises(error, match=words):
        ebmkit.evaluate(small_model(), asked, **settings)


def test_something_else_than_a_model_is_refused() -> None:
    with pytest.raises(RecipeError, match="A model or a run is evaluated, found str"):
        ebmkit.evaluate("runs/demo", "moments")


def test_metrics_of_the_recipe_keep_their_settings_when_they_are_named() -> None:
    from dataclasses import replace

    model = small_model()
    own = Part("fd", {"features": "garments"})
    with_own = replace(model, recipe=model.recipe.with_part("metric", own))
    assert metrics_of(with_own) == (own,) and metrics_of(with_own, "moments+fd") == (Part("moments"), own)
    other = Part("fd", {"features": "resnet20"})
    both = replace(model, recipe=model.recipe.with_part("metric", own, other))
    assert metrics_of(both, "fd+moments") == (own, other, Part("moments"))


def test_words_of_a_model() -> None:
    words = words_of(small_model())
    assert {"data.plane", "data.real", "data.test", "data.labels", "sampler.exact"} <= words
    assert not words & {"data.images", "energy.latent"}
