"""The published networks are settings, with the published numbers of parameters."""

from math import prod
from typing import Any

import pytest
import torch

from ebmkit.assembly.parts import build_energy
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Point
from ebmkit.recipes.recipe import Part, Recipe

BLOCKS = {"block": "standardised", "downsample": "conv-average", "activation": "silu", "hidden": 0, "features": 0}
LABELS = {"labels": True, "label_as": "one-hot"}
MNIST = {"widths": [64, 128, 256, 512], "blocks": [1, 1, 1, 0]}
CIFAR10 = {"widths": [64, 64, 128, 256, 512], "blocks": [2, 2, 2, 2, 0], "attention": [8]}
CELEBA = {"widths": [64, 128, 128, 128, 256, 512, 1024], "blocks": [1, 1, 1, 1, 2, 2, 0], "attention": [4]}
CIFAR10_SMALLER = [
    {"widths": [64, 64, 128, 256], "blocks": [2, 2, 2, 0], "attention": []},
    {"widths": [64, 64, 128], "blocks": [2, 2, 0], "attention": []},
]
CELEBA_SMALLER = [
    {"widths": [128, 128, 128, 128, 256, 512], "blocks": [1, 1, 1, 1, 2, 0], "attention": []},
    {"widths": [128, 128, 128, 128, 256], "blocks": [1, 1, 1, 1, 0], "attention": []},
]


def network(
    shape: tuple[int, ...], smaller: list[dict[str, Any]] | None = None, n_classes: int = 0, **config: Any
) -> Any:
    wrappers = () if smaller is None else (Part("multiscale", {"n_scales": 3, "networks": smaller}),)
    recipe = Recipe(parts={"energy": (Part("resnet", {**BLOCKS, **config}),), "wrapper": wrappers})
    with torch.device("meta"):
        return build_energy(recipe, BuildContext(event_shape=shape, n_classes=n_classes, device="meta"))


def size(energy: torch.nn.Module) -> int:
    return sum(prod(p.shape) for p in energy.parameters())


def test_mnist() -> None:
    """4.09 M counts a label network of 256 outputs beside gains and biases of 512 inputs, which cannot run together.

    What takes part without labels is 3.10 M.
    """
    plain, conditioned = network((1, 28, 28), **MNIST), network((1, 28, 28), **MNIST, conditioning=512)
    label_network = (10 * 256 + 256) + (256 * 256 + 256)
    assert size(plain) == 3_101_313
    assert size(conditioned) + label_network == 4_089_217
    assert f"{(size(conditioned) + label_network) / 1e6:.2f}" == "4.09"


def test_cifar10_at_one_scale_and_at_three() -> None:
    """The published counts hold the label's gains and biases, with or without labels."""
    main = network((3, 32, 32), n_classes=10, **CIFAR10, **LABELS)
    all_scales = network((3, 32, 32), CIFAR10_SMALLER, n_classes=10, **CIFAR10, **LABELS)
    assert size(main) == 4_904_290 and f"{size(main) / 1e6:.2f}" == "4.90"
    assert size(all_scales) == 6_643_044 and f"{size(all_scales) / 1e6:.2f}" == "6.64"
    assert size(network((3, 32, 32), CIFAR10_SMALLER, **CIFAR10)) == 6_564_196


@pytest.mark.parametrize(("labels", "count"), [(LABELS, 27_095_940), ({}, 27_053_700)])
def test_celeba_128(labels: dict[str, Any], count: int) -> None:
    energy = network((3, 128, 128), CELEBA_SMALLER, n_classes=2, **CELEBA, **labels)
    assert size(energy) == count and f"{size(energy) / 1e6:.1f}" == "27.1"


def test_networks_of_all_scales_end_at_two_by_two_pixels() -> None:
    """Each smaller network has one stage fewer."""
    for shape, config, smaller in (((3, 32, 32), CIFAR10, CIFAR10_SMALLER), ((3, 128, 128), CELEBA, CELEBA_SMALLER)):
        stages = [len(settings["widths"]) for settings in (config, *smaller)]
        assert [shape[1] >> scale >> (n - 1) for scale, n in enumerate(stages)] == [2, 2, 2]


def test_the_published_network_runs_at_128_pixels() -> None:
    narrow = {"widths": [8, 8, 8, 8, 16, 16, 32], "blocks": CELEBA["blocks"], "attention": CELEBA["attention"]}
    smaller = [{**settings, "widths": [8] * len(settings["widths"])} for settings in CELEBA_SMALLER]
    wrappers = (Part("multiscale", {"n_scales": 3, "networks": smaller}),)
    recipe = Recipe(parts={"energy": (Part("resnet", {**BLOCKS, **narrow}),), "wrapper": wrappers})
    energy = build_energy(recipe, BuildContext(event_shape=(3, 128, 128)))
    assert energy(Point(x=torch.rand(2, 3, 128, 128))).isfinite().all()


def test_diffusion_assisted_backbone() -> None:
    """Published 4,757,121: this, an embedding of the level 128 → 512 → 512, and 512 → 256 for the features."""
    context = BuildContext(event_shape=(1, 28, 28))
    config = {
        "widths": [128, 256, 256, 256], "activation": "silu", "pool": "sum", "shortcut": "3x3", "modulation": "bias",
        "spectral_norm": False, "hidden": 0, "features": 0, "conditioning": 512,
    }  # fmt: skip
    energy = build_energy(Recipe(parts={"energy": (Part("resnet", config),)}), context)
    embedding = (128 * 512 + 512) + (512 * 512 + 512) + (512 * 256 + 256)
    assert size(energy) == 4_297_089 and size(energy) + embedding == 4_757_121
    assert energy(Point(x=torch.rand(2, 1, 28, 28), aux={"condition": torch.rand(2, 512)})).shape == (2,)
