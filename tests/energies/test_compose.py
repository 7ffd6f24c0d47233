"""The algebra of products and mixtures."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ebmkit.energies.compose import Composition, mixture, product
from ebmkit.energies.wrap import energy
from ebmkit.errors import CapabilityError
from ebmkit.point import Point
from ebmkit.views.view import view

weights = st.lists(st.floats(-2, 2), min_size=1, max_size=4)


def bump(centre: float) -> Callable[[Point], Tensor]:
    return lambda point: (point.x - centre).square().sum(dim=1) / 2


def point(seed: int = 0, dtype: torch.dtype = torch.float64) -> Point:
    return Point(x=torch.randn(5, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype))


@settings(max_examples=40)
@given(weights=weights, seed=st.integers(0, 99))
def test_a_product_adds_and_a_mixture_takes_the_soft_minimum(weights: list[float], seed: int) -> None:
    at, parts = point(seed), [bump(i) for i in range(len(weights))]
    energies = torch.stack([part(at) for part in parts])
    w = torch.tensor(weights, dtype=torch.float32).double()
    torch.testing.assert_close(product(*parts, weights=weights)(at), (w[:, None] * energies).sum(dim=0))
    torch.testing.assert_close(
        mixture(*parts, log_weights=weights)(at), -(w[:, None] - energies).exp().sum(dim=0).log()
    )


def test_the_algebra() -> None:
    at, a, b, c = point(), bump(0), bump(1), bump(2)
    torch.testing.assert_close(product(a)(at), a(at))
    torch.testing.assert_close(mixture(a)(at), a(at))
    torch.testing.assert_close(product(a, b)(at), product(b, a)(at))
    torch.testing.assert_close(mixture(a, mixture(b, c))(at), mixture(a, b, c)(at))
    torch.testing.assert_close(product(product(a, b), c)(at), product(a, b, c)(at))
    torch.testing.assert_close(product(a, a, weights=[1, -1])(at), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(product(c, mixture(a, b))(at), mixture(product(c, a), product(c, b))(at))
    torch.testing.assert_close(mixture(a, a, log_weights=[-(2**0.5), -torch.inf])(at), a(at) + 2**0.5)


def test_parts_that_are_modules_train_and_are_followed_by_the_view() -> None:
    module, at = energy(nn.Linear(2, 1)), point(dtype=torch.float32)
    whole = product(module, bump(0), weights=[0.5, 2.0])
    assert len(list(whole.parameters())) == 2 and not whole.state_dict().keys() & {"weights"}
    seen = view(whole)
    assert torch.equal(seen.energy(at), whole(at).detach())
    with torch.no_grad():
        next(module.parameters()).add_(1.0)
    seen.refresh()
    assert torch.equal(seen.energy(at), whole(at).detach())


def test_weights_must_match() -> None:
    with pytest.raises(CapabilityError, match="2 energies were given 1 weights"):
        product(bump(0), bump(1), weights=[1.0])
    for compose in (product, mixture):
        with pytest.raises(CapabilityError, match="at least one"):
            compose()


def test_a_mixture_is_one_at_the_temperature_it_was_made_for() -> None:
    temperature, x = 1e-3, torch.linspace(-2, 2, 41)[:, None]
    parts = [lambda p, m=m: 0.5e-3 * (p.x[:, 0] - m).square() / 0.04 for m in (-1.0, 1.0)]
    energy = mixture(*parts, temperature=temperature)(Point(x=x))
    exact = sum(torch.exp(-part(Point(x=x)) / temperature) for part in parts)
    assert torch.allclose(torch.exp(-energy / temperature), exact, rtol=1e-4)


class Levels(nn.Module):
    """E(x, t) = ½(wx − c)²/(t + 1), with features, and a parametrised weight."""

    abilities = frozenset({"levels.level", "features"})

    def __init__(self, centre: float, n: int = 3) -> None:
        super().__init__()
        self.centre, self.n = centre, n
        self.linear = spectral_norm(nn.Linear(2, 2, bias=False))

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        features = self.linear(point.x)
        base = (features - self.centre).square().sum(dim=1) / 2
        every = base[:, None] / torch.arange(1, self.n + 1)
        chosen = every.gather(1, point.aux["level"][:, None])[:, 0] if "energy" in abilities else base
        values = {"energy": chosen, "levels.level": every, "features": features}
        return {name: values[name] for name in abilities}

    def forward(self, point: Point) -> Tensor:
        return self.evaluate(point, "energy")["energy"]


def levelled(seed: int = 0) -> Point:
    return point(seed, torch.float32).with_aux(level=torch.tensor([0, 1, 2, 1, 0]))


@pytest.mark.parametrize("compose", [partial(product, weights=[1, -0.5]), partial(mixture, log_weights=[0, 1])])
def test_levels_are_composed_level_by_level_and_features_are_hidden(compose: Callable[..., Composition]) -> None:
    torch.manual_seed(0)
    at, whole = levelled(), compose(Levels(0.0), Levels(1.0))
    assert whole.abilities == {"energy", "levels.level"}
    levels = whole.evaluate(at.without("level"), "levels.level")["levels.level"]
    assert levels.shape == (5, 3)
    torch.testing.assert_close(levels.gather(1, at.aux["level"][:, None])[:, 0], whole(at))
    assert torch.equal(view(whole.eval()).levels(at, "level"), levels)
    with pytest.raises(CapabilityError, match=r"'features' was asked of Composition.*gives: energy, levels\.level"):
        whole.evaluate(at, "features")


def test_levels_need_every_part_and_as_many_of_them() -> None:
    assert product(Levels(0.0), bump(1.0)).abilities == {"energy"}
    with pytest.raises(CapabilityError, match=r"all values of 'level' have shapes \[\(2,\), \(3,\)\]"):
        product(Levels(0.0, 2), Levels(0.0, 3)).evaluate(levelled().without("level"), "levels.level")


def test_a_plain_callable_keeps_its_levels() -> None:
    class Plain:
        abilities = frozenset({"levels.level"})

        def __call__(self, p: Point) -> Tensor:
            return p.x.sum(dim=1)

        def levels(self, p: Point, name: str) -> Tensor:
            return p.x

    at = point()
    torch.testing.assert_close(product(Plain(), Plain()).evaluate(at, "levels.level")["levels.level"], 2 * at.x)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_view_folds_the_parts_and_its_gradient_is_the_gradient(precision: str) -> None:
    torch.manual_seed(0)
    parts, at = (Levels(0.0).eval(), Levels(1.0).eval()), levelled()
    whole = product(*parts, weights=[1.0, 0.5])
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    seen = view(whole, precision)  # type: ignore[arg-type]
    x = at.x.clone().requires_grad_()
    (exact,) = torch.autograd.grad(whole(at.replace(x=x)).sum(), x)
    tolerance = {"fp32": 1e-5, "bf16": 3e-2}[precision]
    torch.testing.assert_close(seen.gradient(at), exact, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(seen.energy(at), whole(at).detach())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in whole.parameters())
    assert all(torch.equal(before[name], value) for name, value in whole.state_dict().items())
    live = torch.autograd.grad(seen.live(at).sum(), list(whole.parameters()))
    assert all(bool(gradient.any()) for gradient in live)


def test_a_gradient_of_a_mixture_is_that_of_its_parts_weighed_by_their_shares() -> None:
    x = torch.linspace(-3, 3, 5, dtype=torch.float64)[:, None].requires_grad_()
    parts, at = [bump(-1.0), bump(1.0)], Point(x=x)
    energies = torch.stack([part(at) for part in parts])
    shares = torch.softmax(-energies.detach() / 0.5, dim=0)
    (exact,) = torch.autograd.grad((shares * energies).sum(), x, retain_graph=True)
    (found,) = torch.autograd.grad(mixture(*parts, temperature=0.5)(at).sum(), x)
    torch.testing.assert_close(found, exact)


def test_an_entry_of_the_point_reaches_every_part() -> None:
    def joint(p: Point) -> Tensor:
        return (p.x * p.aux["latent"]).sum(dim=1)

    at = point().with_aux(latent=torch.full((5, 2), 2.0, dtype=torch.float64))
    torch.testing.assert_close(product(joint, joint)(at), 4 * at.x.sum(dim=1))


def test_weights_are_numbers() -> None:
    for bad in (float("nan"), float("inf")):
        for make in (lambda w: product(bump(0), weights=[w]), lambda w: mixture(bump(0), log_weights=[w])):
            with pytest.raises(CapabilityError, match="Weights are numbers"):
                make(bad)
    with pytest.raises(CapabilityError, match="Weights are numbers"):
        product(bump(0), weights=[-torch.inf])


def test_parts_may_take_x_as_a_network_and_a_function_do() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.SiLU(), nn.Linear(4, 1))
    point = Point(x=torch.randn(3, 2))

    def bowl(x: Tensor) -> Tensor:
        return x.square().sum(dim=1)

    both = product(net, bowl, lambda p: p.x.sum(dim=1))
    expected = net(point.x)[:, 0] + bowl(point.x) + point.x.sum(dim=1)
    assert torch.allclose(both(point), expected, atol=1e-6)
    assert torch.allclose(view(product(net, bowl)).energy(point), net(point.x)[:, 0] + bowl(point.x), atol=1e-6)
    assert set(both.parameters()) == set(net.parameters())


def test_a_part_that_is_no_energy_is_named() -> None:
    with pytest.raises(CapabilityError, match="could not be asked"):
        mixture(nn.Linear(3, 1), lambda p: p.x.sum(dim=1))(Point(x=torch.zeros(2, 2)))
