"""Every value of an x is its formula, higher out of distribution; what a model lacks is told."""

from __future__ import annotations

from math import log
from types import SimpleNamespace

import pytest
import torch
from torch import Generator, Tensor

from ebmkit.errors import CapabilityError, DataError, DivergenceError, RecipeError
from ebmkit.evaluation.clean_energy import CleanEnergy, checked_rows, in_passes
from ebmkit.metrics.detection.formulas import Asked
from ebmkit.metrics.detection.scores import SCORES, score_named, scores_for, usual_score, values_with
from tests.metrics.ood_models import TEMPERATURE, featured, guided, labelled, levelled, model, spec

X = torch.randn(700, 2, generator=Generator().manual_seed(0))
REFERENCE = torch.randn(300, 2, generator=Generator().manual_seed(1))
HALF_SQUARE = X.double().square().sum(dim=1) / 2


def values(model, name: str, x: Tensor = X, beta: float = 0.1) -> Tensor:
    asked = Asked(model=model, energy=CleanEnergy(model), beta=beta)
    return values_with(asked, score_named(model, name), lambda kind: REFERENCE)(x)


def close(found: Tensor, wanted: Tensor) -> bool:
    return torch.allclose(found, wanted.double(), rtol=1e-5, atol=1e-5)


def test_energies_and_gradients_of_a_well() -> None:
    assert close(values(model(), "energy"), HALF_SQUARE)
    assert close(values(model(), "energy/T"), HALF_SQUARE / TEMPERATURE)
    median = (REFERENCE.double().square().sum(dim=1) / 2).median()
    assert close(values(model(), "typicality"), (HALF_SQUARE - median).abs() / TEMPERATURE)
    assert close(values(model(), "gradient-norm"), X.norm(dim=1))


def test_the_distance_of_features_from_those_of_training_data() -> None:
    mean, precision = REFERENCE.double().mean(dim=0), torch.linalg.inv(torch.cov(REFERENCE.double().T))
    away = X.double() - mean
    wanted = torch.einsum("nf,fg,ng->n", away, precision, away).sqrt()
    assert close(values(featured(), "feature-distance"), wanted)


def test_the_baseline_is_the_same_distance_of_x_itself() -> None:
    found = values(model(), "input-distance")
    assert close(found, values(featured(), "feature-distance")) and close(found, values(guided(), "input-distance"))


def test_the_joint_energy_of_a_latent() -> None:
    cosine = X[:, 0] / X.norm(dim=1)
    for beta in (0.1, 3.0):
        assert close(values(guided(), "latent-joint", beta=beta), HALF_SQUARE - beta * cosine)


def test_labels_are_averaged_out() -> None:
    each = torch.stack([(X - y).double().square().sum(dim=1) / 2 for y in range(3)])
    marginal = -TEMPERATURE * (torch.logsumexp(-each / TEMPERATURE, dim=0) - log(3))
    assert close(values(labelled(), "energy"), marginal)
    x = X.clone().requires_grad_()
    shares = torch.softmax(-each / TEMPERATURE, dim=0)
    gradient = sum(shares[y][:, None] * (X - y).double() for y in range(3))
    assert close(values(labelled(), "gradient-norm"), gradient.norm(dim=1)) and x.grad is None


def test_levels_are_read_at_clean_data() -> None:
    found = values(levelled(), "level-0")
    assert close(found, HALF_SQUARE) and close(values(levelled(), "energy"), found)
    sd = 1 + torch.arange(4, dtype=torch.float64) / 2
    every = HALF_SQUARE[:, None] / sd**2 + 2 * sd.log()
    assert close(values(levelled(), "level-marginal"), -TEMPERATURE * torch.logsumexp(-every / TEMPERATURE, dim=1))
    share = torch.softmax(-every / TEMPERATURE, dim=1)[:, 0]
    assert close(values(levelled(), "level-ratio"), -share.log())


def test_what_is_far_away_has_higher_values() -> None:
    for one in (model(), labelled(), guided(), featured(), levelled()):
        for score in scores_for(one)[0]:
            near, far = values(one, score.name, 0.1 * X), values(one, score.name, 10 * X)
            assert float((far > near).double().mean()) > 0.9, score.name


def test_each_model_has_its_own_and_the_others_are_told() -> None:
    def names(one) -> list[str]:
        return [score.name for score in scores_for(one)[0]]

    usual = ["gradient-norm", "typicality"]
    assert names(model()) == ["energy", *usual, "input-distance"]
    assert names(labelled()) == ["energy", *usual, "input-distance"]
    assert names(featured()) == ["energy", *usual, "feature-distance", "input-distance"]
    too_few = " ".join(scores_for(featured(n_data=2))[1])
    assert "the covariance of 2 features needs more than 2 training data" in too_few
    assert "the covariance of 2 entries of x needs more than 2 training data" in too_few
    assert names(guided()) == ["energy", "latent-joint", *usual, "input-distance"]
    assert names(levelled()) == ["level-0", "level-marginal", "level-ratio", *usual, "input-distance"]
    assert scores_for(model())[1] == (
        "Left out: level-0, level-marginal, level-ratio (the run has no noise level all of whose energies it gives).",
        "Left out: energy/T (the same figures as energy, which orders data alike).",
        "Left out: latent-joint (it needs an energy with a latent, and an objective that encodes).",
        "Left out: feature-distance (it needs an energy with features).",
    )
    assert "Left out: energy, energy/T (the same figures as level-0" in scores_for(levelled())[1][0]


def test_discrete_x_has_no_gradient() -> None:
    bits = model(data=spec(x_values="binary", value_range=(0.0, 1.0)))
    assert "gradient-norm" not in [score.name for score in scores_for(bits)[0]]


def test_two_that_order_alike_are_shown_where_both_are_asked_for() -> None:
    assert [score.name for score in scores_for(model(), ["energy/T", "energy", "energy"])[0]] == ["energy/T", "energy"]


def test_what_a_model_lacks_is_refused() -> None:
    with pytest.raises(CapabilityError, match=r"'latent-joint' cannot be had: .*has energy, energy/T, gradient-norm"):
        score_named(model(), "latent-joint")
    with pytest.raises(RecipeError, match=r"no score 'enrgy'; known: .*Did you mean 'energy'"):
        score_named(model(), "enrgy")
    assert len(SCORES) == 10


def test_an_energy_that_fails_is_told() -> None:
    with pytest.raises(DivergenceError, match="energy of 700 of 700 data is not finite"):
        values(model(lambda point: point.x.sum(dim=1) / 0), "energy")


def test_rows_are_asked_in_passes_that_change_nothing() -> None:
    sizes: list[int] = []

    def asked(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return x.sum(dim=(1, 2))

    x = torch.randn(500, 100, 10)
    assert torch.allclose(in_passes(asked, x, torch.device("cpu")), x.sum(dim=(1, 2)))
    assert sizes == [200, 200, 100]


def test_rows_that_are_none_are_refused() -> None:
    wrong = {
        r"takes x \[N, 2\], rows first, found \[3\]": torch.zeros(3),
        r"found \[4, 3\]": torch.zeros(4, 3),
        "0 rows": torch.zeros(0, 2),
        r"torch.uint8: of 8-bit levels give \(x \+ 0.5\) / 256": torch.zeros(4, 2, dtype=torch.uint8),
        "1 of 3 rows of x are NaN or infinite, the first of them row 1": torch.tensor([[0, 0], [0, torch.nan], [0, 0]]),
    }
    for words, x in wrong.items():
        with pytest.raises(DataError, match=words):
            checked_rows(x, (2,))
    assert checked_rows(torch.zeros(3, 2, dtype=torch.float64), (2,)).dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "lacking", "usual"),
    [
        ((1, 8, 8), "", "feature-distance"),
        ((1, 8, 8), "it needs an energy with features", "energy"),
        ((2,), "", "energy"),
    ],
)
def test_images_are_judged_by_their_features_where_nothing_is_named(
    shape: tuple[int, ...], lacking: str, usual: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebmkit.metrics.detection.formulas.lacks_features", lambda model: lacking)
    assert usual_score(SimpleNamespace(data=SimpleNamespace(event_shape=shape))) == usual  # type: ignore[arg-type]
