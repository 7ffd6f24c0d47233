"""Laws of sgld: the formula, determinism, the tail, and what a fixed step does to a Gaussian."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError, RecipeError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.sampler import Sampler, Tail
from ebmkit.rng import stream
from ebmkit.samplers.sgld import langevin_move
from ebmkit.views.view import view

IMAGES = BuildContext(event_shape=(1, 8, 8), value_range=(0.0, 1.0), seed=1)


class Quadratic(nn.Module):
    """E = k‖x − m‖²/2, nats, with parameters k and m."""

    def __init__(self, k: float = 2.0, m: float = 0.5) -> None:
        super().__init__()
        self.k, self.m = nn.Parameter(torch.tensor(k)), nn.Parameter(torch.tensor(m))

    def forward(self, point: Point) -> Tensor:
        return self.k * (point.x - self.m).flatten(1).square().sum(dim=1) / 2


class CountingView:
    """A view that counts how often it is asked for a gradient."""

    def __init__(self, seen: Any) -> None:
        self.seen, self.live, self.n_gradients = seen, seen.live, 0
        self.precision = seen.precision

    def gradient(self, point: Point) -> Tensor:
        self.n_gradients += 1
        gradient: Tensor = self.seen.gradient(point)
        return gradient


def sgld(context: BuildContext | None = None, **config: Any) -> Any:
    return build("sampler", "sgld", context=context, **config)


def network(seed: int = 1) -> Any:
    energy = build("energy", "resnet", context=IMAGES, widths=(8, 8), hidden=8, features=4, head="half-squared-norm")
    with torch.no_grad():
        for layer in energy.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(20)
    return energy


def images(n: int = 4) -> Point:
    draw = torch.Generator().manual_seed(0)
    return Point(x=torch.rand(n, 1, 8, 8, generator=draw), aux={"label": torch.arange(n)})


def rng(seed: int = 0) -> Generator:
    return stream(seed, 0, "test")


def moved(sampler: Any, seen: Any, point: Point, seed: int = 0, tail: Tail | None = None) -> Point:
    state, _ = sampler.step(seen, sampler.init(point, rng(seed)), tail=tail)
    result: Point = state.point
    return result


@settings(max_examples=25)
@given(
    event=st.lists(st.integers(1, 3), min_size=1, max_size=3), n=st.integers(1, 4), seed=st.integers(0, 99),
    step_size=st.floats(1e-4, 1.0), noise=st.floats(0, 1.0), clip=st.sampled_from([0.0, 0.3]), clamped=st.booleans(),
)  # fmt: skip
def test_a_move_is_the_formula(
    event: list[int], n: int, seed: int, step_size: float, noise: float, clip: float, clamped: bool
) -> None:
    context = BuildContext(event_shape=tuple(event), value_range=(-0.5, 0.5) if clamped else None)
    x = torch.randn(n, *event, generator=torch.Generator().manual_seed(seed))
    end = moved(
        sgld(context, moves=1, step_size=step_size, noise=noise, clip=clip, bounds="clamp" if clamped else "auto"),
        view(Quadratic()),
        Point(x=x),
        seed,
    )
    gradient = 2.0 * (x - 0.5)
    wanted = (
        x
        - step_size * (gradient.clamp(-clip, clip) if clip else gradient)
        + noise * torch.randn(x.shape, generator=rng(seed))
    )
    torch.testing.assert_close(end.x, wanted.clamp(-0.5, 0.5) if clamped else wanted)


def test_the_move_is_a_function_of_its_noise() -> None:
    x, gradient, noise = (torch.randn(2, 3, generator=torch.Generator().manual_seed(i)) for i in range(3))
    torch.testing.assert_close(langevin_move(x, gradient, noise, 0.1, 0.2), x - 0.1 * gradient + 0.2 * noise)


@settings(max_examples=10)
@given(seed=st.integers(0, 99), precision=st.sampled_from(["fp32", "bf16"]))
def test_a_transition_is_deterministic_and_pure(seed: int, precision: str) -> None:
    sampler, seen, point = sgld(IMAGES, moves=3, step_size=1.0, noise=0.01), view(network(), precision), images()
    before, untouched, parameters = torch.get_rng_state(), point.map(torch.clone), network().state_dict()
    first, generator = moved(sampler, seen, point, seed), rng(seed)
    state = sampler.init(point, generator.clone_state())
    again, _ = sampler.step(seen, state)
    assert torch.equal(first.x, again.point.x) and not torch.equal(first.x, moved(sampler, seen, point, seed + 1).x)
    assert torch.equal(point.x, untouched.x) and not point.x.requires_grad
    assert torch.equal(torch.get_rng_state(), before), "the global stream is never touched"
    assert not torch.equal(state.rng.get_state(), generator.get_state()), "the chain's stream advances"
    live: Any = seen.live
    assert all(torch.equal(value, parameters[key]) for key, value in live.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_and_coordinates_are_kept(dtype: torch.dtype) -> None:
    point = Point(x=torch.zeros(3, 2, dtype=dtype), aux={"label": torch.arange(3), "latent": torch.ones(3, 4)})
    end = moved(sgld(step_size=0.1, moves=2), view(lambda p: p.x.square().sum(dim=1)), point)
    assert end.x.dtype == dtype and end.x.device == point.x.device and not end.x.requires_grad
    assert end.aux == point.aux


def test_the_stationary_variance_is_that_of_the_discretised_chain() -> None:
    """var = σ²/(1 − (1 − ηk)²) for E = kx²/2, whatever η; at T = 1 it is above 1/k by the factor 1/(1 − ηk/2)."""
    k, step_size, n = 2.0, 0.2, 40_000
    sampler = sgld(step_size=step_size, moves=60)
    assert sampler.noise == pytest.approx((2 * step_size) ** 0.5), "temperature 1 unless a context says otherwise"
    variance = sampler.noise**2 / (1 - (1 - step_size * k) ** 2)
    assert variance == pytest.approx(1 / k / (1 - step_size * k / 2))
    end = moved(sampler, view(lambda p: k * p.x.square().sum(dim=1) / 2), Point(x=torch.zeros(n, 1)), seed=5).x
    z = (float(end.square().mean()) / variance - 1) * (n / 2) ** 0.5
    assert abs(z) < 4 and abs(float(end.mean())) < 4 * (variance / n) ** 0.5
    assert abs((float(end.square().mean()) * k - 1) * (n / 2) ** 0.5) > 20, "the test could tell it from 1/k"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("moves", "rows"), [(1, None), (1, 2), (3, 2), (2, None), (9, 4), (2, 7)])
def test_keeping_the_graph_changes_no_value(precision: str, moves: int, rows: int | None) -> None:
    sampler, seen, point = (
        sgld(IMAGES, moves=4, step_size=20.0, noise=0.01, clip=0.01),
        view(network(), precision),
        images(),
    )
    plain, kept = moved(sampler, seen, point), moved(sampler, seen, point, tail=Tail(moves=moves, rows=rows))
    assert torch.equal(plain.x, kept.x) and kept.x.requires_grad and not plain.x.requires_grad
    rows = len(point) if rows is None else min(rows, len(point))
    live: Any = seen.live
    weights = [w for w in live.parameters() if w.ndim == 4]
    reached = torch.autograd.grad(kept.x[:rows].sum(), weights, retain_graph=True)
    assert sum(float(g.abs().sum()) for g in reached) > 0
    if rows < len(point):
        beyond = torch.autograd.grad(kept.x[rows:].sum(), weights, allow_unused=True)
        assert all(g is None or not g.any() for g in beyond), "other rows carry no graph"
    assert all(w.grad is None for w in live.parameters())


@pytest.mark.parametrize("kept", [1, 2, 5])
def test_the_tails_gradient_is_the_closed_form(kept: int) -> None:
    """x' = x − ηk(x − m) + σξ: over the last K moves ∂x'/∂m = 1 − (1 − ηk)^K, and ∂x'/∂k by the product rule."""
    energy, step_size = Quadratic().double(), 0.1
    start = Point(x=torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    sampler = sgld(moves=5, step_size=step_size, noise=0.3)
    end = moved(sampler, view(energy), start, tail=Tail(moves=kept))
    by_m, by_k = torch.autograd.grad(end.x.sum(), [energy.m, energy.k])
    assert float(by_m) == pytest.approx(6 * (1 - (1 - step_size * 2) ** kept))
    generator, path = rng(), [start.x]
    for _ in range(5):
        noise = torch.randn(3, 2, dtype=torch.float64, generator=generator)
        path.append(langevin_move(path[-1], 2 * (path[-1] - 0.5), noise, step_size, 0.3))
    slope = torch.zeros_like(start.x)
    for x in path[-1 - kept : -1]:
        slope = (1 - step_size * 2) * slope - step_size * (x - 0.5)
    assert float(by_k) == pytest.approx(float(slope.sum()))


def test_a_tail_agrees_with_finite_differences() -> None:
    energy, start, sampler = network().double().eval(), images(), sgld(IMAGES, moves=1, step_size=1e-3, noise=0.01)
    start = start.replace(x=start.x.double() / 2 + 0.25)
    bias: Tensor = energy.output.bias

    def end_sum(shift: float) -> float:
        with torch.no_grad():
            bias[0] += shift
            total = float(moved(sampler, view(energy), start).x.sum())
            bias[0] -= shift
        return total

    end = moved(sampler, view(energy), start, tail=Tail())
    assert ((end.x > 0) & (end.x < 1)).all(), "away from the clamp"
    (gradient,) = torch.autograd.grad(end.x.sum(), bias)
    assert float(gradient[0]) == pytest.approx((end_sum(1e-5) - end_sum(-1e-5)) / 2e-5, rel=1e-4)


@pytest.mark.parametrize("tail", [None, Tail(), Tail(moves=3, rows=1), Tail(moves=99)])
def test_gradients_are_counted_as_they_are_spent(tail: Tail | None) -> None:
    seen, sampler = CountingView(view(Quadratic())), sgld(moves=4)
    _, info = sampler.step(seen, sampler.init(Point(x=torch.zeros(2, 2)), rng()), tail=tail)
    assert info.n_gradients == info.n_moves == seen.n_gradients == 4
    assert torch.equal(info.accept_rate, torch.ones(2)) and torch.equal(info.start.x, torch.zeros(2, 2))


def test_moves_stay_in_the_value_range_unless_a_coordinate_noises_x() -> None:
    for bounds in ("mirror", "clamp"):
        end = moved(sgld(IMAGES, step_size=1.0, noise=1.0, bounds=bounds), view(network()), images())
        assert (end.x.min() == 0 and end.x.max() == 1) == (bounds == "clamp") and 0 <= end.x.min() <= end.x.max() <= 1
    level: Any = SimpleNamespace(name="level", noises_x=True, n_values=2, leaves_data=True)
    noised = IMAGES.replace(coordinates=(level,))
    assert sgld(noised).walls is None and sgld(IMAGES, bounds="off").walls is None
    with pytest.raises(CapabilityError, match="noises x"):
        sgld(noised, bounds="mirror")


def test_a_captured_loop_knows_its_walls() -> None:
    keys: list[Any] = []

    class Capturing(type(view(Quadratic()))):  # type: ignore[misc]
        captures = True

        def moves(self, key: Any, loop: Any, point: Point, noise: Tensor) -> Tensor:
            keys.append(key)
            return point.x

    for bounds in ("mirror", "clamp", "off", "mirror"):
        moved(sgld(IMAGES, step_size=1.0, noise=1.0, bounds=bounds), Capturing(Quadratic()), images())
    assert len(set(keys)) == 3 and keys[0] == keys[3]


def test_a_slower_one_keeps_its_temperature() -> None:
    whole = sgld(IMAGES, step_size=4.0, noise=0.2)
    slow = whole.slower(4.0)
    assert (slow.step_size, slow.noise) == (1.0, 0.1) and slow.walls == whole.walls and slow.traits == whole.traits


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(CapabilityError, match="clamp"):
        sgld(bounds="clamp")
    with pytest.raises(CapabilityError, match="int64"):
        sgld().init(Point(x=torch.zeros(2, 2, dtype=torch.long)), rng())
    for config in ({"step_size": 0.0}, {"step_size": -1.0}, {"noise": -1.0}, {"moves": 0}):
        with pytest.raises(RecipeError):
            sgld(**config)


def test_the_temperature_fixes_what_is_left_open() -> None:
    assert sgld().step_size == 0.005 and sgld().noise == pytest.approx(0.1)
    usual = sgld(IMAGES.replace(temperature=5e-9))
    assert (usual.step_size, usual.noise) == (100.0, pytest.approx(0.001))
    assert isinstance(usual, Sampler)
