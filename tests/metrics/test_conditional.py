"""Samples of known conditional laws show their classes; those of an energy that ignores the class, by chance."""

from __future__ import annotations

from math import erf
from typing import Any

import pytest
import torch

from ebmkit.errors import DataError
from ebmkit.metrics.conditional import accuracies, build_conditional, spread_of, spreads
from ebmkit.metrics.declarations.conditions import ConditionalConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.metric import Measured
from tests.metrics.conditioned import BRIGHTEST, NAMES, Classes, Latents, subject


@pytest.fixture(autouse=True)
def latents_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of a class, whose latents are averaged, are those of its mean."""
    from tests.metrics import conditioned

    monkeypatch.setattr(
        "ebmkit.sampling.given.class_images",
        lambda model, text: conditioned.MEANS[conditioned.NAMES.index(text) if text in NAMES else int(text)].view(
            1, 1, 2, 2
        ),
    )


def measured(energy: Any, n: int = 400, **settings: Any) -> Measured:
    config = ConditionalConfig(features=BRIGHTEST, **settings)
    return build_conditional(config, BuildContext()).measure(subject(energy, n))


def holds_the_known_law(found: Measured) -> bool:
    """Two pixels differ by .4 = 3.5 s.d. of their difference: a class is seen in nearly every sample."""
    least = 1 - 3 * (1 - erf(0.4 / (0.08 * 2))) / 2  # a bound of the union of the three others
    return all(found.estimates[f"{name}: samples"].value >= least - 0.03 for name in (*NAMES, "all classes"))


@pytest.mark.parametrize("energy", [Classes(), Latents()], ids=["labels", "latents"])
def test_samples_of_known_laws_show_their_class(energy: Any) -> None:
    found = measured(energy)
    assert holds_the_known_law(found) and len(found.notes) == 1 and "5 transitions" in found.notes[0]
    whole = found.estimates["all classes: samples"]
    assert whole.n == 400 and whole.better == "higher" and whole.error is not None and 0 < whole.error < 0.02
    assert found.estimates["b: held-out data"].value == 1.0 and found.estimates["b: held-out data"].n == 10
    assert "its label" in found.definition or "its latent" in found.definition
    assert "By chance: 0.25" in found.definition and set(found.pictures) == {"samples by class"}


def test_an_energy_that_ignores_the_label_is_found_out() -> None:
    found = measured(Classes(ignores=True))
    assert not holds_the_known_law(found)
    whole = found.estimates["all classes: samples"]
    assert whole.error is not None and abs(whole.value - 0.25) < 4 * whole.error
    assert "no more often than by chance" in found.notes[-1]


def test_a_weaker_latent_shows_less() -> None:
    weak, whole = (measured(Latents(), strength=s).estimates["all classes: samples"].value for s in (0.1, 1.0))
    assert 0.3 < weak < whole - 0.1


def test_the_spread_of_a_class_is_that_of_its_law() -> None:
    """The features are the four pixels, each of s.d. .08: the distance from the mean is .16."""
    found = measured(Classes(), n=2_000).estimates
    assert found["spread within a class: samples"].value == pytest.approx(2 * 0.08, rel=0.05)
    assert found["spread within a class: held-out data"].value == 0, "images of a class are alike in these data"
    assert "spread within a class: samples over data" not in found
    both = spreads({"samples": torch.tensor([1.0, 2.0]), "held-out data": torch.tensor([2.0, 2.0])})
    assert both["spread within a class: samples over data"].value == pytest.approx(0.75)


def test_a_spread_is_of_right_rows_of_classes_that_have_enough() -> None:
    features = torch.tensor([[0.0], [2.0], [0.0], [2.0], [1.0], [90.0], [5.0]])
    found = spread_of(features, torch.tensor([0, 0, 0, 0, 0, -1, 1]), 3)
    assert float(found[0]) == pytest.approx(1.0)
    assert found[1:].isnan().all()


def test_accuracies_are_of_the_rows_that_were_asked_for() -> None:
    shares, counts = accuracies(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 0, 1, 1]), 3)
    assert shares[:2] == [0.5, 0.5] and counts == [2, 2, 0] and shares[2] != shares[2]


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(DataError, match="3 samples are too few for 4 classes"):
        measured(Classes(), n=3)
