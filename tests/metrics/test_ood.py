"""`ood`: known figures of known models, sets that are alike, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError, DataError, RecipeError
from ebmkit.metrics.declarations.detection import COMPONENTS, SCORE_NAMES, SET_NAMES, OodConfig
from ebmkit.metrics.detection.notes import verdicts
from ebmkit.metrics.detection.scores import SCORES
from ebmkit.metrics.detection.separation import Figure
from ebmkit.metrics.detection.sets import BUILT_IN
from ebmkit.metrics.ood import Ood
from ebmkit.plugins.component import Selection
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.loading import load_build
from ebmkit.point import Batch
from ebmkit.protocols.metric import Measured
from ebmkit.rng import stream
from tests.metrics.ood_models import featured, guided, levelled, model, spec

WIDE = 1.5


@dataclass
class Known:
    """A model of the plane whose data are standard normal, and other sets that are wider ones."""

    model: Any = field(default_factory=model)
    n: int = 100
    n_data: int = 3000
    seed: int = 0
    notes: list[str] = field(default_factory=list)

    def rng(self, name: str) -> Generator:
        return stream(self.seed, 0, name)

    def held_out(self, n: int | None = None) -> Batch:
        shape = self.model.data.event_shape
        x = torch.randn(self.n_data, *shape, generator=self.rng("data"))
        return Batch(x=x.sigmoid() if self.model.data.value_range else x)

    def data(self, split: str, n: int | None = None) -> Batch:
        return Batch(x=torch.randn(500, 2, generator=self.rng(split)))

    def other(self, text: str, n: int | None = None) -> Batch:
        sd = float(text.partition(":")[2] or 1)
        return Batch(x=sd * torch.randn(n or self.n_data, 2, generator=self.rng(text)))


def measured(subject: Any, **settings: Any) -> Measured:
    metric = load_build(COMPONENTS[0])(OodConfig(**settings), BuildContext())
    assert isinstance(metric, Ood)
    found: Measured = metric.measure(subject)
    return found


def value(found: Measured, key: str) -> float:
    return found.estimates[key].value


def upside_down(point: Any) -> Tensor:
    energy: Tensor = -point.x.square().sum(dim=1) / 2
    return energy


def has_the_known_figures(energy: Any) -> bool:
    """Energies ½‖x‖² of N(0, s² I) in the plane are s² times exponential: AUROC s²/(1 + s²), FPR95 1 − .05^(1/s²)."""
    found = measured(Known(model(energy)), sets=(f"normal:{WIDE}",), scores=("energy",))
    law = {"AUROC": WIDE**2 / (1 + WIDE**2), "FPR95": 1 - 0.05 ** (1 / WIDE**2)}
    estimates = {name: found.estimates[f"normal, energy: {name}"] for name in law}
    return all(abs(estimates[name].value - law[name]) < 4 * (estimates[name].error or 0) for name in law)


def test_two_gaussians_have_the_known_figures() -> None:
    assert has_the_known_figures(model().energy)


def test_an_energy_upside_down_has_not() -> None:
    assert not has_the_known_figures(upside_down)


def test_a_set_of_the_same_law_is_not_told_apart() -> None:
    found = measured(Known(), sets=("normal:1",))
    for score in ("energy", "gradient-norm", "typicality"):
        estimate = found.estimates[f"normal, {score}: AUROC"]
        assert estimate.error is not None and abs(estimate.value - 0.5) < 4 * estimate.error
        assert abs(value(found, f"normal, {score}: FPR95") - 0.95) < 0.05
    assert "energy does not separate normal (AUROC 0." in found.notes[0] and "chance" in found.notes[0]


def test_the_built_in_sets_of_the_plane_and_of_images() -> None:
    plane = measured(Known(n_data=200))
    assert {key.split(",")[0] for key in plane.estimates} == {"uniform-noise", "permuted-coordinates"}
    images = Known(model(data=spec((1, 8, 8), (0.0, 1.0))), n_data=120)
    found = measured(images)
    assert {key.split(",")[0] for key in found.estimates} == {"uniform-noise", "constants", "patch-shuffled"}
    assert "constants: a random grey or colour each" in found.definition
    assert "keeps 95 % of in-distribution data" in found.definition and found.definition.startswith("100 held-out data")
    assert found.estimates["constants, energy: AUROC"].n == 200


def test_every_value_of_the_model_is_shown_and_what_it_lacks_is_told() -> None:
    def scores(of: Any) -> list[str]:
        keys = measured(Known(of, n_data=100), resamples=5).estimates
        return list(dict.fromkeys(key.split(", ")[1].split(":")[0] for key in keys))

    usual = ["gradient-norm", "typicality"]
    assert scores(guided()) == ["energy", "latent-joint", *usual, "input-distance"]
    assert scores(featured()) == ["energy", *usual, "feature-distance", "input-distance"]
    assert scores(levelled()) == ["level-0", "level-marginal", "level-ratio", *usual, "input-distance"]
    assert any("latent-joint (it needs" in note for note in measured(Known(n_data=100)).notes)


def test_the_joint_energy_takes_its_strength() -> None:
    joint = [measured(Known(guided(), n_data=100), scores=("latent-joint",), sets=("normal:2",), beta=beta, resamples=5)
             for beta in (0.0, 50.0)]  # fmt: skip
    energy = measured(Known(guided(), n_data=100), scores=("energy",), sets=("normal:2",), resamples=5)
    assert value(joint[0], "normal, latent-joint: AUROC") == value(energy, "normal, energy: AUROC")
    assert value(joint[1], "normal, latent-joint: AUROC") != value(energy, "normal, energy: AUROC")


def test_histograms_have_a_series_for_each_set_and_no_far_values() -> None:
    found = measured(Known(n_data=200), sets=("normal:1", "far:1000"), scores=("energy", "typicality"))
    energies = next(values for title, values in found.histograms.items() if title.startswith("energy, nats"))
    assert list(energies) == ["held-out data", "normal", "far"] and len(energies["far"]) == 167
    assert float(energies["far"].max()) < 10 * float(energies["held-out data"].max())
    assert value(found, "far, energy: AUROC") > 0.99


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert measured(Known(n_data=100)).estimates == measured(Known(n_data=100)).estimates


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="at least 20 held-out data to score, found 9 of 10"):
        measured(Known(n_data=10))
    with pytest.raises(CapabilityError, match="latent-joint"):
        measured(Known(), scores=("latent-joint",))
    with pytest.raises(RecipeError, match="Did you mean 'typicality'"):
        measured(Known(), scores=("typicalty",))
    with pytest.raises(DataError, match="Take permuted-coordinates"):
        measured(Known(), sets=("patch-shuffled",))


def said(**areas: float) -> str:
    figures = {("letters", name.replace("_", "-")): {"AUROC": Figure(value=area, error=0.01)}
               for name, area in areas.items()}  # fmt: skip
    return verdicts(figures)[0]


def test_what_the_figures_say() -> None:
    below = said(energy=0.45, typicality=0.63)
    assert "energy does not separate letters (AUROC 0.450 ± 0.010, below chance: these data have a lower" in below
    assert below.endswith("the best score here is typicality (AUROC 0.630 ± 0.010, which is not reliable).")
    assert "no score here separates letters (typicality comes nearest" in said(energy=0.45, typicality=0.51)
    assert said(energy=0.99, typicality=0.9) == (
        "energy separates letters (AUROC 0.990 ± 0.010); no other score does better."
    )
    assert "leans the right way on letters, and no more" in said(energy=0.7, typicality=0.6)
    assert "nothing here detects it reliably" in said(energy=0.7, typicality=0.6)
    assert "the best score here is level-ratio (AUROC 0.950 ± 0.010)." in said(**{"level-0": 0.4, "level-ratio": 0.95})


def test_why_an_energy_fails_is_said_once_and_only_where_it_does() -> None:
    def whole(*areas: float) -> str:
        return " ".join(verdicts({(str(i), "energy"): {"AUROC": Figure(value=area, error=0.01)}
                                  for i, area in enumerate(areas)}))  # fmt: skip

    assert whole(0.4, 0.5, 0.99).count("no detector of them") == 1
    assert "no detector of them" not in whole(0.7, 0.99)


def test_a_baseline_without_the_model_is_told_and_is_never_the_best_score() -> None:
    text = said(energy=0.45, typicality=0.63, input_distance=0.97)
    assert "the best score here is typicality" in text
    assert text.endswith(" Without the model, input-distance has AUROC 0.970 ± 0.010.")
    alone = {("letters", "input-distance"): {"AUROC": Figure(value=0.9, error=0.01)}}
    assert verdicts(alone) == ()


def test_the_best_worst_case_is_named() -> None:
    areas = {("a", "energy"): 0.99, ("a", "typicality"): 0.7, ("b", "energy"): 0.3, ("b", "typicality"): 0.65}
    whole = verdicts({key: {"AUROC": Figure(value=area, error=0.01)} for key, area in areas.items()})[-1]
    assert whole.startswith("Over all 2 sets typicality has the best worst case: AUROC 0.650 ± 0.010, on b. ")
    bare = {**areas, ("a", "input-distance"): 0.6, ("b", "input-distance"): 0.8}
    whole = verdicts({key: {"AUROC": Figure(value=area, error=0.01)} for key, area in bare.items()})[-1]
    assert "on b. Without the model, input-distance has at worst AUROC 0.600 ± 0.010. A score" in whole
    lost = {key: {"AUROC": Figure(value=min(area, 0.4), error=0.01)} for key, area in areas.items()}
    assert "no score here is a detector of all of these sets" in verdicts(lost)[-1]


def test_names_are_checked_before_anything_is_measured() -> None:
    def refusal(**settings: Any) -> str:
        return COMPONENTS[0].objection("refuse", OodConfig(**settings), Selection())

    assert refusal(sets=("constants", "toy:moons"), scores=("energy/T",)) == ""
    assert "no score 'typicalty'" in refusal(scores=("typicalty",))
    assert "Did you mean 'typicality'" in refusal(scores=("typicalty",))
    with pytest.raises(RecipeError, match=r"nmist.*Built in are uniform-noise, constants"):
        refusal(sets=("nmist:here",))
    with pytest.raises(RecipeError, match="Did you mean 'constants'"):
        refusal(sets=("constnts",))
    assert tuple(SCORES) == SCORE_NAMES and tuple(BUILT_IN) == SET_NAMES
