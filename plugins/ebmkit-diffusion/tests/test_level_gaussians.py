"""The Gaussians that an energy starts from are those of diffused data, normalised."""

from __future__ import annotations

from math import log, pi
from pathlib import Path
from typing import Any

import pytest
import torch
from ebmkit_diffusion.level import Level
from ebmkit_diffusion.level_gaussians import WHOLE, PcaGaussians, fitted_gaussians, moments_of
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

import ebmkit
from ebmkit import BuildContext, CapabilityError, Point, RecipeError
from ebmkit.assembly.build import build
from ebmkit.runs.loaded import load
from ebmkit.runs.run import run

BETAS = [0.0, 0.01, 0.2, 0.6, 1.0]


def data(n: int, d: int, seed: int = 0) -> Tensor:
    """Returns data far from a standard normal: correlated, of several scales, away from the origin."""
    draw = torch.Generator().manual_seed(seed)
    mixing = torch.logspace(-0.5, 0.5, d)[:, None] * torch.linalg.qr(torch.randn(d, d, generator=draw)).Q
    return torch.randn(n, d, generator=draw) @ mixing + 3 * torch.randn(d, generator=draw)


def fitted(x: Tensor, rank: int = 0, smooth: float = 0.0) -> PcaGaussians:
    context = BuildContext(event_shape=tuple(x.shape[1:]), sample=lambda n: x[:n])
    return fitted_gaussians(Level(BETAS, smooth=smooth), rank, context)


def exact(x: Tensor, covariance: Tensor, mean: Tensor, smooth: float = 0.0) -> list[MultivariateNormal]:
    level = Level(BETAS)
    eye = torch.eye(len(mean)).double()
    return [
        MultivariateNormal(
            level.scales[t].double() * mean,
            level.signals[t].double() * (covariance + smooth**2 * eye) + (1 - level.signals[t].double()) * eye,
        )
        for t in range(len(BETAS))
    ]


@given(st.integers(1, 7), st.sampled_from([0.0, 0.3]), st.integers(0, 20))
def test_every_level_is_the_normal_of_diffused_data(d: int, smooth: float, seed: int) -> None:
    x = data(200, d, seed)
    found = fitted(x, smooth=smooth).double()
    rows = x.double()
    laws = exact(x, torch.cov(rows.T).reshape(d, d), rows.mean(dim=0), smooth)
    at = 2 * data(9, d, seed + 1).double()
    energies = found.all(at)
    for t, law in enumerate(laws):
        truth = -law.log_prob(at)
        torch.testing.assert_close(energies[:, t], truth, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.at(at, torch.full((9,), t)), truth, rtol=1e-4, atol=1e-4)


@given(st.integers(1, 5))
def test_of_a_few_directions_the_others_share_their_mean_variance(rank: int) -> None:
    x = data(300, 6)
    rows = x.double()
    values, vectors = torch.linalg.eigh(torch.cov(rows.T))
    kept = values.clone()
    kept[: 6 - rank] = values[: 6 - rank].mean()
    laws = exact(x, vectors @ kept.diag() @ vectors.T, rows.mean(dim=0))
    at = data(9, 6, 1).double()
    found = fitted(x, rank).double()
    assert found.directions.shape == (6, rank)
    for t, law in enumerate(laws):
        torch.testing.assert_close(found.all(at)[:, t], -law.log_prob(at), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.at(at, torch.full((9,), t)), found.all(at)[:, t])


def test_a_level_of_pure_noise_is_the_standard_normal() -> None:
    at = data(9, 4, 1)
    truth = at.square().sum(dim=1) / 2 + 2 * log(2 * pi)
    torch.testing.assert_close(fitted(data(99, 4)).all(at)[:, -1], truth, rtol=1e-4, atol=1e-3)


def test_in_single_precision_narrow_directions_far_from_the_origin_keep_their_digits() -> None:
    x = 0.01 * torch.randn(500, 40) + 5
    single, double = fitted(x), fitted(x).double()
    assert (single.all(x) - double.all(x.double())).abs().max() < 0.02


def test_many_entries_are_fitted_by_the_products_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    x, at = data(30, 8), data(5, 8, 1)
    direct = fitted(x, 4).all(at)
    monkeypatch.setattr("ebmkit_diffusion.level_gaussians.WHOLE", 7)
    mean, directions, values, rest = moments_of(x, 4)
    assert torch.allclose(directions.T @ directions, torch.eye(4).double(), atol=1e-9)
    dual = PcaGaussians(Level(BETAS), (mean, directions, values, rest)).all(at)
    torch.testing.assert_close(dual, direct, rtol=1e-3, atol=1e-3)


def test_an_entry_that_never_changes_has_a_little_variance() -> None:
    x = data(50, 3)
    x[:, 0] = 1.0
    found = fitted(x)
    assert float(found.variances.min()) > 0 and torch.isfinite(found.all(x)).all()


def test_the_gradient_is_that_of_the_normal() -> None:
    x = data(100, 3)
    at = data(6, 3, 1).double().requires_grad_()
    law = exact(x, torch.cov(x.double().T), x.double().mean(dim=0))[2]
    energy = fitted(x).double()
    (found,) = torch.autograd.grad(energy.at(at, torch.full((6,), 2)).sum(), at)
    (truth,) = torch.autograd.grad(-law.log_prob(at).sum(), at)
    torch.testing.assert_close(found, truth, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("d", "rank"), [(3, 4), (WHOLE + 1, 0), (WHOLE + 1, WHOLE)])
def test_a_rank_that_cannot_be_is_refused(d: int, rank: int) -> None:
    with pytest.raises(CapabilityError, match="base_rank"):
        fitted_gaussians(Level(BETAS), rank, BuildContext(event_shape=(d,)))


def wrapped(wrapper: str, x: Tensor, **settings: object) -> torch.nn.Module:
    context = BuildContext(event_shape=(3,), sample=lambda n: x[:n])
    context = context.replace(coordinates=(build("coordinate", "level", context=context, noise_levels=3),))
    hears = {"conditioning": 5} if wrapper == "level-conditioned" else {}
    inner = build("energy", "mlp", context=context, widths=(8,), head="linear", **hears)
    own = hears or {"embedding": 5}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        energy = build("wrapper", wrapper, context=context.replace(inner=inner), **own, **settings)
        with torch.no_grad():
            for parameter in energy.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape))
    return energy


@pytest.mark.parametrize("wrapper", ["level-conditioned", "level-head"])
@pytest.mark.parametrize("settings", [{"network": "over-sd"}, {"pin_last": True}], ids=str)
def test_the_network_is_scaled_and_the_rest_is_not(wrapper: str, settings: dict[str, object]) -> None:
    x = data(60, 3)
    base = wrapped(wrapper, x, base="pca-gaussian", offset=0.0).base
    plain = wrapped(wrapper, x, base="pca-gaussian", offset=0.0)
    scaled = wrapped(wrapper, x, base="pca-gaussian", offset=0.0, **settings)
    for t in range(4):
        point = Point(x=x, aux={"level": torch.full((60,), t)})
        own = base.gaussians.at(x, point.aux["level"])
        share = 1 / base.gaussians.least_sds()[t] if "network" in settings else torch.tensor(float(t < 3))
        torch.testing.assert_close(scaled(point), share * (plain(point) - own) + own, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(scaled.levels(point)[:, t], scaled(point), rtol=1e-3, atol=1e-3)


def test_what_is_pinned_is_the_base_whatever_is_learned() -> None:
    x = data(60, 3)
    energy = wrapped("level-head", x, base="pca-gaussian", pin_last=True, offset=100.0, head="half-squared-norm")
    point = Point(x=x, aux={"level": torch.full((60,), 3)})
    torch.testing.assert_close(energy(point), energy.base.gaussians.at(x, point.aux["level"]))
    energy(point).sum().backward()
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in energy.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "over-sd"}, "needs a base"),
        ({"pin_last": True}, "needs a base"),
        ({"base_rank": 2}, "base_rank"),
        ({"base": "pca-gaussian", "base_sd": 0.3}, "those of base = .gaussian"),
        ({"base_mean": 1.0}, "leave them out"),
    ],
)
def test_settings_without_the_base_that_they_are_of_are_refused(settings: dict[str, object], message: str) -> None:
    recipe = {
        "data": {"use": "toy"}, "energy": {"use": "mlp"}, "wrapper": [{"use": "level-head", **settings}],
        "objective": [{"use": "level-classification"}],
    }  # fmt: skip
    with pytest.raises((CapabilityError, RecipeError), match=message):
        run(recipe, out="unused")


def test_a_run_with_a_setting_of_another_base_is_loaded_and_resumed(tmp_path: Path) -> None:
    recipe = {
        "run": {"steps": 2, "batch_size": 20}, "data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]},
        "wrapper": [{"use": "level-head", "base": "pca-gaussian"}], "objective": [{"use": "level-classification"}],
        "log": {"tensorboard": False},
    }  # fmt: skip
    made = run(recipe, out=tmp_path / "run")
    file = made.directory / "recipe.toml"
    told = file.read_text(encoding="utf-8")
    assert "base_sd = 0.5" in told
    file.write_text(told.replace("base_sd = 0.5", "base_sd = 0.3"), encoding="utf-8")
    assert load(made.directory).recipe.parts["wrapper"][0].settings["base_sd"] == 0.3
    assert ebmkit.resume(made.directory, steps=3).recipe == load(made.directory).recipe


def test_a_loaded_run_has_the_base_that_was_fitted(tmp_path: object) -> None:
    recipe = {
        "run": {"steps": 2, "batch_size": 20}, "data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]},
        "wrapper": [{"use": "level-head", "base": "pca-gaussian"}], "objective": [{"use": "level-classification"}],
        "log": {"tensorboard": False},
    }  # fmt: skip
    made = run(recipe, out=f"{tmp_path}/run")
    again = load(made.directory)
    one, two = made.model.energy.base.gaussians, again.model.energy.base.gaussians
    assert not torch.equal(one.directions.abs(), torch.eye(2))
    assert all(torch.equal(a, b) for a, b in zip(one.buffers(), two.buffers(), strict=True))
    assert ebmkit.log_density(again)(torch.zeros(3, 2)).shape == (3,)


@pytest.mark.parametrize("rank", [0, 2])
def test_draws_have_the_law_of_their_level(rank: int) -> None:
    gaussians = fitted(data(500, 4), rank=rank)
    draw = torch.Generator().manual_seed(3)
    for t in (0, 3):
        x = gaussians.draw(torch.empty(40_000, 4), torch.full((40_000,), t), draw)
        energies = gaussians.at(x, torch.full((40_000,), t))
        wide = gaussians._log_normaliser(*gaussians._variances(torch.tensor([t])))
        assert float(energies.mean() - wide) == pytest.approx(2, abs=0.04), "½χ² of 4 degrees of freedom has mean 2"
        assert float(energies.var()) == pytest.approx(2, rel=0.06), "and variance 2"
        assert torch.allclose(x.mean(dim=0), gaussians.scales[t] * gaussians.mean, atol=0.12)


@pytest.mark.parametrize("wrapper", ["level-head", "level-conditioned"])
@pytest.mark.parametrize("base", ["gaussian", "pca-gaussian"])
def test_a_pinned_last_level_draws_its_own_law_and_no_other_does(wrapper: str, base: str) -> None:
    x = data(300, 3)
    context = BuildContext(event_shape=(3,), sample=lambda n: x[:n])
    context = context.replace(coordinates=(Level(BETAS),))
    inner = build("energy", "mlp", context=context, widths=(8,), conditioning=128 * (wrapper != "level-head"))

    def energy(pinned: bool) -> Any:
        return build("wrapper", wrapper, context=context.replace(inner=inner), base=base, pin_last=pinned)

    rng = torch.Generator().manual_seed(0)
    rows = Point(x=torch.empty(5, 3), aux={"level": torch.full((5,), 4)})
    found = energy(True).drawn(rows, rng)
    assert found is not None and found.shape == (5, 3) and bool(found.isfinite().all())
    assert energy(True).drawn(rows.with_aux(level=torch.tensor([4, 4, 3, 4, 4])), rng) is None
    assert energy(False).drawn(rows, rng) is None
