"""Laws of the view: it equals the live energy, never touches it, and follows it after each refresh."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils import spectral_norm as hooked_spectral_norm

from ebmkit.assembly.build import build
from ebmkit.energies.wrap import energy as energy_of
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.protocols.energy import EnergyView
from ebmkit.views.frozen import FrozenCopy, converge_parametrisations, iterate_parametrisations, parametrised
from ebmkit.views.view import CallableView, FrozenView, view

SMALL = {"widths": (8, 12), "hidden": 16, "features": 8}


def randomised(module: nn.Module, seed: int = 3) -> nn.Module:
    """Weights of the size that training leaves: freshly initialised heads are near zero."""
    with torch.no_grad():
        draw = torch.Generator().manual_seed(seed)
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=draw) / layer.in_features**0.5)
    return module


def resnet(channels: int = 1, **config: Any) -> nn.Module:
    context = BuildContext(event_shape=(channels, 12, 12), value_range=(0.0, 1.0), seed=1)
    return randomised(build("energy", "resnet", context=context, **{**SMALL, **config}))


def weight_normed() -> nn.Module:
    module = resnet(spectral_norm=False)
    for layer in [m for m in module.modules() if isinstance(m, nn.Conv2d)]:
        parametrizations.weight_norm(layer)
    return module


def mlp() -> nn.Module:
    return randomised(build("energy", "mlp", context=BuildContext(event_shape=(1, 12, 12), seed=1), widths=(16, 16)))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "spectral norm": resnet,
    "plain": lambda: resnet(spectral_norm=False, head="half-squared-norm", activation="silu"),
    "colour, two scales": lambda: resnet(3, n_scales=2),
    "weight norm": weight_normed,
    "mlp": mlp,
}
networks = pytest.mark.parametrize("name", NETWORKS)


def images(name: str, n: int = 5, seed: int = 0) -> Point:
    channels = 3 if "colour" in name else 1
    return Point(x=torch.rand(n, channels, 12, 12, generator=torch.Generator().manual_seed(seed)))


def live_gradient(energy: Any, point: Point) -> Tensor:
    x = point.x.detach().requires_grad_()
    return torch.autograd.grad(energy(point.replace(x=x)).sum(), x)[0]


def snapshot(module: nn.Module) -> list[Any]:
    """All that must not change, bit for bit: classes, modes, tensors with their identity, flags."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [
        [(name, type(m), m.training, sorted(m._modules)) for name, m in module.named_modules()],
        [(name, id(t), t.requires_grad, t.grad is None, t.stride(), t.detach().tolist()) for name, t in tensors],
        [(key, value.tolist()) for key, value in module.state_dict().items()],
    ]


def trained_a_step(module: nn.Module, point: Point) -> None:
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    module(point).square().mean().backward()
    optimiser.step()
    optimiser.zero_grad()


@networks
def test_the_view_is_bit_equal_to_the_live_energy(name: str) -> None:
    live, point = NETWORKS[name]().eval(), images(name)
    seen = view(live)
    assert torch.equal(seen.energy(point), live(point).detach())
    assert torch.equal(seen.constant(point), live(point).detach())
    energy, gradient = seen.energy_and_gradient(point)
    assert torch.equal(gradient, seen.gradient(point))
    torch.testing.assert_close(energy, live(point).detach(), rtol=1e-5, atol=1e-6)
    exact = live_gradient(live, point)
    assert (gradient - exact).norm() < 1e-5 * exact.norm(), "convolutions in channels-last round otherwise"


@networks
def test_a_view_follows_an_optimiser_step(name: str) -> None:
    live, point = NETWORKS[name](), images(name)
    seen = view(live, "bf16")
    before = seen.energy(point), seen.gradient(point)
    trained_a_step(live, point)
    fresh = view(live, "bf16")
    live.eval()
    assert torch.equal(seen.energy(point), live(point).detach()) and not torch.equal(seen.energy(point), before[0])
    assert torch.equal(seen.gradient(point), fresh.gradient(point)) and not torch.equal(seen.gradient(point), before[1])


@networks
def test_a_view_never_changes_the_live_module(name: str) -> None:
    live, point = NETWORKS[name](), images(name)
    assert live.training
    before = snapshot(live)
    for precision in ("fp32", "bf16"):
        seen = view(live, precision)
        seen.energy_and_gradient(point), seen.energy(point), seen.refresh()
    assert snapshot(live) == before
    assert bool(list(parametrised(live))) == (name not in ("plain", "mlp"))


@networks
def test_the_live_module_still_trains(name: str) -> None:
    live, alone, point = NETWORKS[name](), NETWORKS[name](), images(name)
    seen = view(live, "bf16")
    for _ in range(2):
        seen.refresh(), seen.gradient(point), seen.energy(point)
        trained_a_step(live, point), trained_a_step(alone, point)
    assert all(torch.equal(a, b) for a, b in zip(live.state_dict().values(), alone.state_dict().values(), strict=True))


@networks
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_views_get_no_parameter_gradients(name: str, precision: str) -> None:
    live, point = NETWORKS[name](), images(name)
    seen = view(live, precision)
    gradient = seen.gradient(point)
    assert not gradient.requires_grad and not seen.energy(point).requires_grad and point.x.grad is None
    constant: Any = seen.constant
    assert not any(p.requires_grad or p.grad is not None for p in constant.parameters())
    assert all(p.grad is None for p in live.parameters())


@networks
def test_a_bf16_gradient_is_right_within_bf16(name: str) -> None:
    live, point = NETWORKS[name]().eval(), images(name, n=16)
    exact, rounded = live_gradient(live, point), view(live, "bf16").gradient(point)
    error = (rounded - exact).norm() / exact.norm()
    smooth = name in ("plain", "mlp")  # where a leaky ReLU flips, a gradient changes by more than rounding
    assert 0 < error < (0.02 if smooth else 0.2), float(error)
    assert torch.equal(view(live, "bf16").energy(point), live(point).detach()), "energies are fp32 all the same"


@networks
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_gradient_has_the_dtype_and_layout_of_x(name: str, precision: str) -> None:
    seen, point = view(NETWORKS[name](), precision), images(name)
    for x in (point.x, point.x.to(memory_format=torch.channels_last), point.x.bfloat16()):
        gradient = seen.gradient(Point(x=x))
        assert gradient.dtype == x.dtype and gradient.stride() == x.stride()
        assert seen.energy(Point(x=x)).dtype == torch.float32


@networks
@settings(max_examples=5)
@given(row=st.integers(0, 4))
def test_rows_do_not_see_each_other(name: str, row: int) -> None:
    seen, point = VIEWS[name], images(name)
    other = point.x.clone()
    other[row] = 1 - other[row]
    rest = torch.arange(5) != row
    for ask in (seen.energy, seen.gradient):
        assert torch.equal(ask(point)[rest], ask(Point(x=other))[rest])
        assert not torch.equal(ask(point)[row], ask(Point(x=other))[row])


VIEWS = {name: view(make()) for name, make in NETWORKS.items()}


def test_folded_weights_are_those_of_the_step_whose_power_iteration_ran() -> None:
    live, point = resnet(), images("spectral norm")
    seen = view(live)
    with parametrize.cached():
        iterate_parametrisations(live)
        seen.refresh()
        assert torch.equal(seen.energy(point), live(point).detach())


def test_a_copy_follows_buffers_too() -> None:
    live, point = resnet(), images("plain")
    seen = view(live.eval())
    seen.energy(point)
    live.mean.fill_(0.1)  # type: ignore[operator]
    seen.refresh()
    assert torch.equal(seen.energy(point), live(point).detach())


class NormedNet(nn.Module):
    """A stranger's network, never written for bf16: a norm layer first, a raw weight, a buffer, float64 perhaps."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(6), nn.Linear(6, 6)
        self.raw = nn.Parameter(torch.ones(6, 3))
        self.register_buffer("scale", torch.full((3,), 1 / 3))

    def forward(self, x: Tensor) -> Tensor:
        return ((nn.functional.softplus(self.layer(self.norm(x))) @ self.raw) * self.scale).sum(dim=1)


def test_bf16_needs_nothing_of_a_strangers_module() -> None:
    live = energy_of(NormedNet())
    point = Point(x=torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    exact = live_gradient(live, point)
    torch.testing.assert_close(view(live, "bf16").gradient(point), exact, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_double_precision_stays_double(precision: str) -> None:
    live = energy_of(NormedNet()).double()
    point = Point(x=torch.randn(4, 6, dtype=torch.float64))
    seen = view(live, precision)
    energy, gradient = seen.energy_and_gradient(point)
    assert energy.dtype == gradient.dtype == torch.float64
    assert torch.equal(gradient, live_gradient(live, point))


@settings(max_examples=20)
@given(n=st.integers(1, 5), event=st.lists(st.integers(1, 3), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_a_callable_is_asked_as_it_is(n: int, event: list[int], seed: int) -> None:
    x = torch.randn(n, *event, generator=torch.Generator().manual_seed(seed))
    seen = view(lambda point: point.x.flatten(1).pow(4).sum(dim=1))
    assert isinstance(seen, CallableView) and isinstance(seen, EnergyView)
    torch.testing.assert_close(seen.gradient(Point(x=x)), 4 * x**3)
    assert torch.equal(seen.energy(Point(x=x)), x.flatten(1).pow(4).sum(dim=1)) and not x.requires_grad
    seen.refresh()


def test_functions_inside_a_module_are_shared_not_copied() -> None:
    hidden = nn.Linear(2, 1)
    for live in (energy_of(hidden.forward), energy_of(lambda x: hidden(x))):
        seen, point = view(live), Point(x=torch.ones(1, 2))
        seen.energy(point)
        with torch.no_grad():
            hidden.weight.add_(1.0)
        assert torch.equal(seen.energy(point), live(point).detach())
        assert hidden.weight.grad is None


def test_what_cannot_be_had_is_said() -> None:
    with pytest.raises(CapabilityError, match="fp16"):
        view(mlp(), "fp16")  # type: ignore[arg-type]
    hooked = hooked_spectral_norm(nn.Linear(2, 1))
    hooked(torch.ones(1, 2))
    with pytest.raises(CapabilityError, match=r"parametrizations"):
        view(energy_of(hooked)).energy(Point(x=torch.ones(1, 2)))
    with pytest.raises(CapabilityError, match="levels"):
        view(mlp()).levels(images("mlp"), "level")


def test_views_ignore_the_callers_autocast() -> None:
    live, point = resnet().eval(), images("plain")
    seen = view(live)
    outside = seen.energy(point), seen.gradient(point)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(seen.energy(point), outside[0]) and torch.equal(seen.gradient(point), outside[1])


def test_settled_parametrisations_fit_weights_that_were_loaded() -> None:
    live = resnet()
    with torch.no_grad():
        for weight in (w for w in live.parameters() if w.ndim == 4):
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    weights = [w.detach().clone() for w in live.parameters()]
    converge_parametrisations(live, iterations=60)
    assert not live.training and all(torch.equal(a, b) for a, b in zip(weights, live.parameters(), strict=True))
    norms = [torch.linalg.matrix_norm(m.weight.flatten(1), 2) for m in live.modules() if isinstance(m, nn.Conv2d)]
    torch.testing.assert_close(torch.stack(norms), torch.ones(len(norms)), atol=0.02, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", ["fp32", "bf16"])
def test_convolutions_say_channels_last_by_their_strides(channels: int, form: Any) -> None:
    """With one input channel `contiguous` leaves the strides as they are, and the whole network runs at half speed."""
    frozen = FrozenCopy(resnet(channels), form).module
    weights = [m.weight for m in frozen.modules() if isinstance(m, nn.Conv2d)]
    dtype = torch.bfloat16 if form == "bf16" else torch.float32
    assert len(weights) == 6 and all(w.dtype == dtype and w.stride()[1] == 1 for w in weights)
    assert {w.dtype for w in frozen.buffers()} == {torch.float32}


def test_a_view_is_an_energy_view() -> None:
    seen = view(mlp())
    assert isinstance(seen, FrozenView) and isinstance(seen, EnergyView)


class TwoLadders(nn.Module):
    """x + level + 10·label of three levels and two labels; it gives all values of either."""

    abilities = frozenset({"levels.level", "levels.label"})

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        asked: dict[str, Tensor] = {}
        for name in abilities:
            if name == "levels.level":
                asked[name] = point.x[:, :1] + torch.arange(3) + 10 * point.aux["label"][:, None]
            elif name == "levels.label":
                asked[name] = point.x[:, :1] + point.aux["level"][:, None] + 10 * torch.arange(2)
            else:
                asked[name] = point.x[:, 0] + point.aux["level"] + 10 * point.aux["label"]
        return asked

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


class PlainLadders:
    """The same as a plain callable, asked by its method `levels`."""

    abilities = TwoLadders.abilities

    def __call__(self, point: Point) -> Tensor:
        return TwoLadders().evaluate(point, "energy")["energy"]

    def levels(self, point: Point, name: str) -> Tensor:
        return TwoLadders().evaluate(point, f"levels.{name}")[f"levels.{name}"]


@pytest.mark.parametrize("energy", [TwoLadders(), PlainLadders()])
def test_the_levels_are_those_of_the_coordinate_that_is_asked_for(energy: Any) -> None:
    at = Point(x=torch.randn(4, 2), aux={"level": torch.tensor([0, 2, 1, 2]), "label": torch.tensor([0, 1, 1, 0])})
    seen = view(energy)
    for name, n in (("level", 3), ("label", 2)):
        each = [seen.energy(at.with_aux(**{name: torch.full((4,), value)})) for value in range(n)]
        torch.testing.assert_close(seen.levels(at, name), torch.stack(each, dim=1))
    with pytest.raises(CapabilityError, match=r"'levels\.colour' was asked"):
        seen.levels(at, "colour")
