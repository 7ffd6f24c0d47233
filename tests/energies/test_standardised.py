"""Laws of standardised weights and of norms that keep rows apart."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from ebmkit.assembly.build import build
from ebmkit.energies import standardised as subject
from ebmkit.energies.resnet_config import groups
from ebmkit.energies.standardised import Norm, StandardisedBlock, standardised
from ebmkit.errors import CapabilityError
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.testing.energy_laws import check_alone
from ebmkit.views.frozen import FrozenCopy, iterate_parametrisations, parametrised
from ebmkit.views.view import view

SETTINGS = {"block": "standardised", "activation": "silu", "hidden": 0, "features": 0}


def network(shape: tuple[int, ...] = (1, 12, 12), *, n_classes: int = 0, **config: Any) -> Any:
    context = BuildContext(event_shape=shape, seed=1, n_classes=n_classes)
    widths = {"widths": (8, 12), "downsample": "conv-average"}
    return build("energy", "resnet", context=context, **{**SETTINGS, **widths, **config})


def point(shape: tuple[int, ...] = (1, 12, 12), n: int = 3, seed: int = 0, **aux: torch.Tensor) -> Point:
    return Point(x=torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)), aux=aux)


@given(
    outer=st.integers(1, 5), inner=st.integers(1, 5), scale=st.floats(0.01, 100), shift=st.floats(-5, 5),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_each_output_channel_has_mean_0_and_sd_1_whatever_its_scale(
    outer: int, inner: int, scale: float, shift: float, seed: int
) -> None:
    w = torch.randn(outer, inner, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    flat = standardised(scale * w + scale * shift).flatten(1)
    torch.testing.assert_close(flat.mean(dim=1), torch.zeros(outer, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(flat.std(dim=1), torch.ones(outer, dtype=torch.float64), atol=5e-3, rtol=0)
    torch.testing.assert_close(flat, standardised(w).flatten(1), atol=2e-2, rtol=0)


@pytest.mark.parametrize(("channels", "wanted"), [(8, nn.InstanceNorm2d(8)), (160, nn.GroupNorm(32, 160))])
def test_the_norm_is_instance_norm_up_to_128_channels_and_group_norm_above(channels: int, wanted: nn.Module) -> None:
    x = torch.randn(2, channels, 5, 4, generator=torch.Generator().manual_seed(0))
    norm = Norm(channels)
    torch.testing.assert_close(norm(x), wanted(x))
    torch.testing.assert_close(norm(x.contiguous(memory_format=torch.channels_last)), wanted(x))
    assert groups(128) == 128 and groups(256) == 32


def test_a_block_is_the_published_formula() -> None:
    block = StandardisedBlock(4, 4, activation="silu", conditioning=3, modulation="gain-and-bias")
    block.standardise()
    x, c = torch.randn(2, 4, 6, 6), torch.randn(2, 3)
    h = x
    for layer, maps in zip((block.first, block.second), block.modulations, strict=True):
        w = layer.parametrizations.weight.original
        flat = w.flatten(1)
        plain = (w - flat.mean(1)[:, None, None, None]) / (flat.std(1)[:, None, None, None] + 1e-5)
        h = nn.functional.instance_norm(nn.functional.conv2d(h, plain, layer.bias, padding=1))
        gain, bias = maps(c)[:, :, None, None].chunk(2, dim=1)
        h = nn.functional.silu((1 + gain) * h + bias)
    torch.testing.assert_close(block(x, c), x + h)


@settings(max_examples=15)
@given(
    shape=st.sampled_from([(1, 28, 28), (3, 32, 32), (3, 64, 64)]),
    downsample=st.sampled_from(["average", "conv-average"]),
    attention=st.booleans(), n=st.integers(2, 3), pool=st.sampled_from(["mean", "sum"]),
)  # fmt: skip
def test_rows_do_not_see_each_other(
    shape: tuple[int, ...], downsample: str, attention: bool, n: int, pool: str
) -> None:
    side = (shape[1] // 4,) if attention else ()
    energy = network(shape, widths=(8, 12, 160), downsample=downsample, attention=side, pool=pool)
    with torch.no_grad():
        for name, parameter in energy.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.7)
    at = point(shape, n)
    together = energy(at)
    assert together.shape == (n,) and together.isfinite().all()
    check_alone("It", energy, at)


def test_the_view_folds_to_plain_weights_of_the_same_energy() -> None:
    energy, at = network(), point()
    frozen = FrozenCopy(energy)
    assert not list(parametrised(frozen.module)) and len(list(parametrised(energy))) == 4
    assert torch.equal(frozen.module(at), energy(at).detach())
    with torch.no_grad():
        energy.trunks[0].stages[0][0].first.parametrizations.weight.original[:, :, 0].mul_(3.0)
    assert not torch.equal(frozen.module(at), energy(at))
    frozen.refresh()
    assert torch.equal(frozen.module(at), energy(at).detach())
    folded = frozen.module.trunks[0].stages[0][0].first.weight
    torch.testing.assert_close(folded.flatten(1).std(dim=1), torch.ones(8), atol=1e-3, rtol=0)


def test_the_bf16_gradient_points_where_the_fp32_gradient_does() -> None:
    energy, at = network(widths=(16, 32), attention=(6,)), point()
    exact, rough = view(energy).gradient(at).flatten(), view(energy, "bf16").gradient(at).flatten()
    assert torch.cosine_similarity(exact, rough, dim=0) > 0.98


def test_training_standardises_once_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    energy, at, calls = network(), point(), []
    real = subject.standardised
    monkeypatch.setattr(subject, "standardised", lambda w: (calls.append(1), real(w))[1])
    with parametrize.cached():
        iterate_parametrisations(energy)
        for _ in range(3):
            energy(at)
    assert len(calls) == 4
    energy(at)
    assert len(calls) == 8


def test_the_energy_can_be_differentiated_twice() -> None:
    energy = network(widths=(4, 6), attention=(4,), shape=(1, 8, 8)).double()
    with torch.no_grad():
        energy.trunks[0].attention["1"].gamma.fill_(0.5)
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: energy(Point(x=x)).sum(), (x,), atol=1e-5, fast_mode=True)


def test_labels_scale_and_shift_every_block() -> None:
    energy = network(labels=True, label_as="one-hot", n_classes=3, linear_std=0.5)
    same = point(n=1).x.expand(3, -1, -1, -1)
    values = energy(Point(x=same, aux={"label": torch.arange(3)}))
    assert len(set(values.tolist())) == 3
    grads = torch.autograd.grad(values.sum(), [p for n, p in energy.named_parameters() if "modulations" in n])
    assert len(grads) == 8 and all(g.abs().sum() > 0 for g in grads)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"spectral_norm": True}, "spectral norm"), ({"shortcut": "3x3"}, "shortcut"),
        ({"widths": (8, 140)}, "multiple of 32"), ({"widths": (8, 8, 8, 8, 8)}, "1×1"),
    ],
)  # fmt: skip
def test_what_cannot_be_standardised_says_why(config: dict[str, Any], found: str) -> None:
    with pytest.raises(CapabilityError, match=found):
        network(**config)
