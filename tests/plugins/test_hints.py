"""Laws of hints: the field's other names lead to what is meant, and every hint names a part that there is."""

from __future__ import annotations

import re

import pytest

from ebmkit.builtin import ebmkit_components
from ebmkit.plugins.component import Component
from ebmkit.plugins.field_words import FIELD_WORDS
from ebmkit.plugins.hints import what_was_meant

COMPONENTS = list(ebmkit_components())
OWN = Component(kind="objective", name="tamed", build="a:b", summary="s", aliases=("TULA", "taming"))
NAMES = {(part.kind, part.name) for part in COMPONENTS}


@pytest.mark.parametrize(
    ("kind", "asked", "meant"),
    [
        ("sampler", "langevin", "'sgld'"),
        ("sampler", "ULA", "'sgld'"),
        ("sampler", "langevin_adjusted", "'mala'"),
        ("sampler", "metropolis", "'mala'"),
        ("sampler", "mcmc", "'mala'"),
        ("sampler", "No-U-Turn", "'nuts'"),
        ("sampler", "Parallel Tempering", "'tempering'"),
        ("sampler", "SGLD", "'sgld'"),
        ("sampler", "adam", "optim.energy.use"),
        ("sampler", "cd", "part of kind objective"),
        ("sampler", "pcd", "'cd' with the buffer 'replay'"),
        ("sampler", "maala", "'mala'"),
        ("objective", "pcd", "'cd' with the buffer 'replay'"),
        ("objective", "cd-k", "sampler.moves"),
        ("objective", "CD-10", "sampler.moves"),
        ("objective", "score-matching", "'sliced-score-matching'"),
        ("objective", "SM", "'sliced-score-matching', or 'denoising-score-matching'"),
        ("objective", "nce", "'noise-contrastive"),
        ("objective", "flow matching", "your own"),
        ("energy", "ResNet-18", "'resnet'"),
        ("energy", "cnn", "'resnet'"),
        ("energy", "unet", "'resnet'"),
        ("buffer", "replay_buffer", "'replay'"),
        ("dataset", "rings", "'toy:rings'"),
        ("dataset", "8gaussians", "'toy:eight-gaussians'"),
        ("dataset", "fashion", "'fashion-mini'"),
        ("dataset", "CIFAR-10", "'cifar10'"),
        ("dataset", "cifar", "'cifar10'"),
        (None, "rings", "'toy:rings'"),
        (None, "langevin", "'sgld'"),
        ("sampler", "zebra", ""),
    ],
)
def test_other_names_lead_to_what_is_meant(kind: str | None, asked: str, meant: str) -> None:
    hint = what_was_meant(asked, COMPONENTS, kind)
    assert meant in hint and hint.startswith(" " if meant else "") and bool(meant) == bool(hint)


def test_a_plugin_says_other_names_of_its_parts() -> None:
    assert what_was_meant("tula", [OWN], "objective") == " Did you mean 'tamed'?"
    with pytest.raises(Exception, match="aliases are a tuple of names"):
        Component(kind="energy", name="x", build="a:b", summary="s", aliases="one")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", FIELD_WORDS)
def test_every_hint_names_a_part_and_no_word_is_a_part(kind: str) -> None:
    for word, meant in FIELD_WORDS[kind].items():
        assert (kind, word) not in NAMES
        if not meant.endswith("."):
            named = {name.partition(":")[0] for name in re.findall(r"'([^']+)'", meant)}
            assert named and named <= {name for _, name in NAMES}, word


def test_names_that_could_do_are_near_too() -> None:
    assert what_was_meant("clel-fashon", [], more=["clel-fashion"]) == " Did you mean 'clel-fashion'?"
