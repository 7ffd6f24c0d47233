"""Runs as one: the densities that are drawn from, the steps, and what cannot be composed."""

from __future__ import annotations

from dataclasses import replace
from math import isclose, sqrt
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.assembly.parts import build_coordinates, build_sampler
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.sampling.compose import Composed, compose
from ebmkit.sampling.generate import generate
from ebmkit.sampling.model import Model

SGLD = Part("sgld", {"moves": 200, "step_size": 0.01, "noise": sqrt(0.02)})
MALA = Part("mala", {"moves": 40, "step_size": 0.5, "adapt": "off"})


class Bump(nn.Module):
    """½‖x − c‖²/s²: exp(−E) is a normal density of mean c and variance s²."""

    def __init__(self, centre: float, variance: float = 1.0) -> None:
        super().__init__()
        self.centre, self.variance = nn.Parameter(torch.tensor(centre)), variance

    def forward(self, point: Point) -> Tensor:
        return (point.x - self.centre).square().sum(dim=1) / (2 * self.variance)


def run_of(
    name: str, energy: Any, *samplers: Part, temperature: float = 1.0, coordinates: tuple[Part, ...] = (), **facts: Any
) -> Model:
    known = {"event_shape": (1,), "value_range": None, "n_classes": 3, "class_names": (), "n_data": 1, **facts}
    context = BuildContext(event_shape=known["event_shape"], n_classes=known["n_classes"], temperature=temperature)
    parts = samplers or (MALA,)
    recipe = Recipe(
        parts={"sampler": parts, "coordinate": coordinates},
        tables={
            "run": {"temperature": temperature, "precision": "fp32"},
            "sample": {"transitions": 5, "batch_size": 10000},
        },
    )
    context = build_coordinates(recipe, context)
    return Model(
        name=name, recipe=recipe, energy=energy, sampler=build_sampler(parts, context), objectives={},
        coordinates=context.coordinates, data=DataSpec(**known), step=3, device=torch.device("cpu"),
    )  # fmt: skip


def drawn(composed: Composed, n: int = 3000) -> Tensor:
    return generate(composed.model, n, seed=0).x[:, 0].double()


def agrees(x: Tensor, mean: float, variance: float, bias: float = 0.0) -> bool:
    n = len(x)
    return abs(float(x.mean()) - mean) < 5 * sqrt(variance / n) and abs(
        float(x.var()) / variance - 1
    ) < bias + 5 * sqrt(2 / n)


@pytest.mark.parametrize("sampler", [SGLD, MALA], ids=lambda part: part.use)
def test_and_draws_from_the_product(sampler: Part) -> None:
    runs = [run_of("a", Bump(-1.0), sampler), run_of("b", Bump(2.0, 0.5), sampler)]
    assert agrees(drawn(compose(runs, "and")), mean=1.0, variance=1 / 3, bias=0.02)  # precisions 1 and 2
    assert agrees(drawn(compose(runs, "and", [0.25])), mean=0.0, variance=2 / 3, bias=0.02)


def test_the_control_rejects_a_step_whose_noise_was_kept() -> None:
    whole = compose([run_of("a", Bump(-1.0), SGLD), run_of("b", Bump(2.0, 0.5), SGLD)]).model
    kept = Part("sgld", {**SGLD.settings, "step_size": 0.005})
    hot = replace(whole, sampler=build_sampler((kept,), BuildContext(event_shape=(1,))))
    x = generate(hot, 3000, seed=0).x[:, 0].double()
    assert agrees(x, mean=1.0, variance=2 / 3, bias=0.02) and not agrees(x, mean=1.0, variance=1 / 3, bias=0.02)


def test_not_draws_from_the_quotient() -> None:
    runs = [run_of("a", Bump(0.0, 0.5)), run_of("b", Bump(1.0))]
    assert agrees(drawn(compose(runs, "not", [0.5])), mean=-1 / 3, variance=2 / 3)  # precision 2 − ½, 0 − ½·1
    assert compose(runs, "not").weights == (1.0, -0.001)


@pytest.mark.parametrize("temperature", [1.0, 0.01])
def test_or_draws_from_the_mixture_at_the_temperature_of_the_runs(temperature: float) -> None:
    moves = Part("mala", {**MALA.settings, "step_size": 1.5 * sqrt(temperature)})
    runs = [run_of(str(c), Bump(c * sqrt(temperature)), moves, temperature=temperature) for c in (-1.0, 1.0)]
    for weight in (0.0, 1.0):
        x = drawn(compose(runs, "or", [weight])) / sqrt(temperature)
        share = 1 / (1 + 2.718281828**-weight)  # of the second
        assert agrees(x, mean=2 * share - 1, variance=1 + 4 * share * (1 - share))


def test_steps_of_unadjusted_samplers_are_divided_at_the_same_temperature() -> None:
    slow = Part("underdamped", {"moves": 2, "step_size": 0.3})
    runs = [run_of(n, Bump(0.0), SGLD, MALA, slow, temperature=1.0) for n in "abc"]
    runs[0] = replace(runs[0], tuning={"1": {"step_size": torch.tensor(0.7)}, "2": {"step_size": torch.tensor(0.6)}})
    made = compose(runs)
    sgld, mala, underdamped = made.model.sampler.children
    assert isclose(sgld.step_size, 0.01 / 3) and isclose(sgld.noise**2 / (2 * sgld.step_size), 1.0)
    assert mala.config.step_size == 0.5 and isclose(underdamped.config.step_size, 0.1)
    assert made.model.tuning == {"1": {"step_size": torch.tensor(0.7)}, "2": {"step_size": torch.tensor(0.6) / 3}}
    assert made.slowed == ("sgld", "underdamped") and made.divisor == 3
    assert "step of sgld and underdamped divided by 3" in " ".join(made.notes())
    assert compose(runs, "or").slowed == () and compose(runs, "and", [0.1, -0.2]).divisor == pytest.approx(1.3)
    assert compose([run_of(n, Bump(0.0)) for n in "ab"]).slowed == ()


def test_what_is_said() -> None:
    runs = [run_of("a", Bump(0.0)), run_of("b", Bump(0.0)), run_of("c", Bump(0.0))]
    assert compose(runs, "and", [2.0]).formula() == "E(a) + 2·E(b) + E(c)"
    assert compose(runs, "not", [1.0]).formula() == "E(a) − E(b) − 0.001·E(c)"
    assert compose(runs, "or", [0.5, -1.0]).formula() == "−T log(exp(−E(a)/T) + exp(−E(b)/T + 0.5) + exp(−E(c)/T − 1))"
    assert compose(runs).notes() == ["E = E(a) + E(b) + E(c) at T = 1"]
    cold = run_of("cold", Bump(0.0), temperature=0.5)
    assert "cold was trained at T = 0.5: its density counts with the power 0.5" in compose([runs[0], cold]).notes()[1]
    record = compose(runs[:2], "or", [0.5]).as_json()
    assert [(r["run"], r["weight"], r["step"]) for r in record["runs"]] == [("a", 0.0, 3), ("b", 0.5, 3)]


def test_runs_are_left_as_they_were() -> None:
    runs = [run_of("a", Bump(0.0), SGLD), run_of("b", Bump(1.0), SGLD)]
    runs[1].energy.train()
    before = [(dict(vars(run)), run.energy.training, run.sampler.step_size) for run in runs]
    for op in ("and", "or", "not"):
        generate(compose(runs, op).model, 3, transitions=1)  # type: ignore[arg-type]
    assert [(dict(vars(run)), run.energy.training, run.sampler.step_size) for run in runs] == before
    assert all(p.requires_grad and p.grad is None for run in runs for p in run.energy.parameters())


LABEL = (Part("label"),)
DIFFERENT: dict[str, dict[str, Any]] = {
    r"the shape of x: \(1,\) and \(2,\)": {"event_shape": (2,)},
    r"the value range of x: unbounded and \(0.0, 1.0\)": {"value_range": (0.0, 1.0)},
    "the coordinates: none and label": {"coordinates": LABEL},
}


@pytest.mark.parametrize("message", DIFFERENT)
def test_points_of_another_kind_are_refused(message: str) -> None:
    with pytest.raises(CapabilityError, match=f"a and b cannot be composed, as their points differ in {message}"):
        compose([run_of("a", Bump(0.0)), run_of("b", Bump(0.0), **DIFFERENT[message])])


def test_labels_of_other_classes_are_refused() -> None:
    runs = [run_of(str(n), Bump(0.0), coordinates=LABEL, n_classes=n) for n in (3, 10)]
    with pytest.raises(CapabilityError, match=r"label \(3 values\) and label \(10 values\)"):
        compose(runs)


def test_only_the_differences_of_coordinates_are_told() -> None:
    class Shelf:
        noises_x, n_values, leaves_data = False, None, False

        def __init__(self, part: Part) -> None:
            self.name = part.use

    def shelved(name: str, *parts: Part) -> Model:
        run = run_of(name, Bump(0.0))
        recipe = replace(run.recipe, parts={**run.recipe.parts, "coordinate": parts})
        return replace(run, recipe=recipe, coordinates=tuple(map(Shelf, parts)))

    alike = {f"setting_{i}": i for i in range(20)}
    runs = [shelved(str(n), Part("fog", {**alike, "depth": n}), Part("hue", alike)) for n in (3, 4)]
    with pytest.raises(CapabilityError, match=r"the coordinates: fog \(depth = 3\) and fog \(depth = 4\)\. Compose"):
        compose(runs)
    wide = [shelved(str(n), Part("fog", {f"setting_{i}": i + n // 30 for i in range(30)})) for n in (1, 30)]
    with pytest.raises(CapabilityError) as told:
        compose(wide)
    assert len(str(told.value).partition("the coordinates: ")[2].partition(". Compose")[0]) < 120
    turned = [shelved("a", Part("fog"), Part("hue")), shelved("b", Part("hue"), Part("fog"))]
    with pytest.raises(CapabilityError, match="the coordinates: fog, hue and hue, fog"):
        compose(turned)


def test_requests_that_make_no_sense() -> None:
    runs = [run_of("a", Bump(0.0)), run_of("b", Bump(0.0), temperature=2.0)]
    with pytest.raises(CapabilityError, match="a has T = 1 and b T = 2"):
        compose(runs, "or")
    with pytest.raises(RecipeError, match=r"2 weights \(--weight\) were given for 1 further run "):
        compose(runs, "and", [1.0, 2.0])
    for weight in (float("nan"), float("inf"), 1e31):
        with pytest.raises(RecipeError, match="a finite number is needed"):
            compose(runs, "and", [weight])
    with pytest.raises(RecipeError, match="--op xor is unknown: and"):
        compose(runs, "xor")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="two runs or more, found 1"):
        compose(runs[:1])
    with pytest.raises(RecipeError, match="--given-strength weighs a given latent"):
        compose(runs, strength=1.0)


class Directed(nn.Module):
    """E(x) − 2⟨g(x), s⟩ of a point that holds a latent s, g = x/‖x‖ turned."""

    abilities = frozenset({"latent"})
    guidance_strength = 2.0

    def __init__(self, turn: float) -> None:
        super().__init__()
        self.turn = turn

    def latent(self, point: Point) -> Tensor:
        return functional.normalize(point.x + self.turn, dim=1)

    def forward(self, point: Point) -> Tensor:
        base = point.x.square().sum(dim=1) / 2
        return base - 2 * (self.latent(point) * point.aux["latent"]).sum(dim=1) if "latent" in point.aux else base


def test_a_latent_is_each_run_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.sampling.given.class_images", lambda run, text: torch.ones(1, 2))
    runs = [run_of(str(i), Directed(i), MALA, event_shape=(2,)) for i in range(2)]
    values = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    encoders = [SimpleNamespace(encode=lambda x, value=value: value) for value in values]
    runs = [replace(run, objectives={"clel": encoder}) for run, encoder in zip(runs, encoders, strict=True)]
    plain, x = run_of("plain", Bump(0.0), event_shape=(2,)), torch.randn(4, 2)
    found = compose([*runs, plain], latent="class:1", strength=4.0).model.energy(Point(x=x))
    exact = [run.energy(Point(x=x, aux={"latent": 2 * v.expand(4, 2)})) for run, v in zip(runs, values, strict=True)]
    torch.testing.assert_close(found, sum(exact) + plain.energy(Point(x=x)))
    with pytest.raises(CapabilityError, match="the energy of this run has no latent"):
        compose([plain, plain], latent="class:1")
