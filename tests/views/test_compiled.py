"""Laws of compiled gradients: the eager values, refreshed weights reach them, what cannot be compiled is said."""

from __future__ import annotations

import os
import shutil

import pytest
import torch
import torch._inductor as inductor
from torch import Tensor, nn

from ebmkit.assembly.build import build
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.views import passes
from ebmkit.views.view import view

compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "clang++")),
    reason="there is no C++ compiler, which compiling needs",
)


def conditioned(**config: object) -> nn.Module:
    """A network that reads a label: an index that no gradient reaches."""
    context = BuildContext(event_shape=(3,), n_classes=4, seed=1)
    module = build("energy", "mlp", context=context, widths=(8,), labels=True, **config)
    with torch.no_grad():
        for layer in (m for m in module.modules() if isinstance(m, nn.Linear)):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(2)))
    return module


def points(n: int = 6, seed: int = 0) -> Point:
    rng = torch.Generator().manual_seed(seed)
    return Point(x=torch.randn(n, 3, generator=rng), aux={"label": torch.randint(4, (n,), generator=rng)})


def moved(live: nn.Module) -> None:
    with torch.no_grad():
        for weight in live.parameters():
            weight.mul_(1.2).add_(0.05)  # zeros too: a bias of zeros must not have become a constant


@compiler
def test_a_compiled_gradient_is_the_eager_one_and_follows_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    real = passes.compiled
    monkeypatch.setattr(passes, "compiled", lambda *given: made.append(given) or real(*given))
    live, state = conditioned(), torch.get_rng_state()
    seen, eager = view(live, engine="compile"), view(live)
    gradients = []
    for seed in range(3):
        for a, b in zip(
            seen.energy_and_gradient(points(seed=seed)), eager.energy_and_gradient(points(seed=seed)), strict=True
        ):
            torch.testing.assert_close(a, b)
        gradients.append(seen.gradient(points()))
        moved(live)
        assert not torch.equal(seen.gradient(points()), gradients[-1]), "a view follows its module by itself"
    assert len(made) == 1, "other weights compile nothing anew"
    assert torch.equal(torch.get_rng_state(), state), "the global stream is untouched"
    assert not torch.equal(gradients[0], gradients[1]) and not gradients[0].requires_grad
    double = points().map(lambda t: t.double() if t.is_floating_point() else t)
    assert torch.equal(view(live.double(), engine="compile").gradient(double), view(live).gradient(double)), "eagerly"
    assert len(made) == 1


def test_a_bf16_gradient_of_images_is_traced_with_its_casts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: traced)
    context = BuildContext(event_shape=(1, 4, 4), value_range=(0.0, 1.0), seed=1)
    live = build("energy", "resnet", context=context, widths=(4,), blocks=1, hidden=4, features=4, activation="silu")
    point = Point(x=torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)))
    seen, exact = view(live, "bf16", engine="compile"), view(live).gradient(point)
    gradient = seen.gradient(point)
    assert gradient.stride() == point.x.stride() and gradient.dtype == torch.float32
    assert 0 < float((gradient - exact).norm() / exact.norm()) < 0.03
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(seen.gradient(point), gradient), "the caller's autocast is not asked"


def untraceable(point: Point) -> Tensor:
    scale = 2.0 if float(point.x.detach().sum()) > 0 else 1.0
    return scale * point.x.square().sum(dim=1)


def test_what_depends_on_values_is_not_compiled_and_said() -> None:
    with pytest.raises(CapabilityError, match=r"cannot be compiled.*eager"):
        view(untraceable, engine="compile").gradient(points())


def test_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*given: object, **options: object) -> object:
        raise FileNotFoundError("No such file or directory: 'g++'")

    monkeypatch.setattr(inductor, "compile", lacking)
    with pytest.raises(CapabilityError, match=r"g\+\+.*C\+\+ compiler"):
        view(conditioned(), engine="compile").gradient(points())


def test_an_energys_own_error_stays_its_own() -> None:
    with pytest.raises(CapabilityError, match="label"):
        view(conditioned(), engine="compile").gradient(points().without("label"))


def test_what_is_compiled_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: lambda *t: [1.1 * v for v in traced(*t)])
    with pytest.raises(CapabilityError, match="differ"):
        view(conditioned(), engine="compile").gradient(points())


def broken_at(row: int, value: float) -> object:
    """Returns a compiler whose function gives one row wrong."""

    def compiles(traced: object, tensors: object) -> object:
        def run(*given: Tensor) -> list[Tensor]:
            energy, gradient = traced(*given)  # type: ignore[operator]
            gradient = gradient.clone()
            gradient[row] = value
            return [energy, gradient]

        return run

    return compiles


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_large_row_hides_no_wrong_one(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    monkeypatch.setattr(inductor, "compile", broken_at(2, value))
    x = torch.ones(6, 3)
    x[0] = 1e6
    with pytest.raises(CapabilityError, match="differ"):
        view(lambda point: point.x.square().sum(dim=1), engine="compile").gradient(Point(x=x))


def test_rows_that_are_not_finite_are_left_out_where_both_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: traced)

    def walled(point: Point) -> Tensor:
        return torch.where(point.x.abs().amax(dim=1) < 1, point.x.square().sum(dim=1), torch.inf)

    x = torch.full((4, 3), 0.5)
    x[1] = 2.0
    gradient = view(walled, engine="compile").gradient(Point(x=x))
    assert gradient.isfinite().all(dim=1).tolist() == [True, False, True, True]


def test_a_first_batch_without_a_finite_entry_is_no_fault_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: traced)
    seen = view(conditioned(), engine="compile")
    lost = points().map(lambda t: t * torch.nan if t.is_floating_point() else t)
    assert seen.gradient(lost).isnan().all()
    torch.testing.assert_close(seen.gradient(points()), view(conditioned()).gradient(points()))


def test_shapes_are_compiled_anew_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: made.append(traced) or traced)
    seen, eager = view(conditioned(), engine="compile"), view(conditioned())
    for n in (2, 3, 2, 4, 5, 6, 7, 6):
        torch.testing.assert_close(seen.gradient(points(n)), eager.gradient(points(n)))
    assert len(made) == 4, "later shapes run as they are"


def test_chunks_share_one_compilation_but_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(inductor, "compile", lambda traced, tensors: made.append(traced) or traced)
    seen, eager = view(conditioned(), engine="compile", chunk=4), view(conditioned())
    torch.testing.assert_close(seen.gradient(points(18)), eager.gradient(points(18)))
    assert len(made) == 2


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(CapabilityError, match="jit"):
        view(conditioned(), engine="jit")  # type: ignore[arg-type]
