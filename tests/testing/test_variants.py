"""Parts under other settings than their defaults, and data sets whose files are made."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ebmkit import Component, NoConfig
from ebmkit.data.idx import FILES
from ebmkit.errors import PluginError
from ebmkit.plugins.host import host
from ebmkit.testing import checks_for, outcome
from tests.data.test_idx import idx
from tests.testing.doubles_of_energies import part


def failures(kind: str, name: str, settings: dict[str, Any]) -> list[str]:
    """Returns what fails; at least one check of the part itself has run."""
    found = [outcome(check) for check in checks_for(host().get(kind, name), settings={name: settings})]
    assert any(one.state == "holds" and not one.check.of_declaration for one in found)
    return [one.text for one in found if one.state == "failed"]


@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [
        ("energy", "mlp", {"labels": True, "widths": [8]}),
        ("energy", "resnet", {"labels": True}),
        ("energy", "resnet", {"block": "standardised", "activation": "silu", "spectral_norm": False}),
        ("wrapper", "level-head", {"head": "bilinear"}),
        ("objective", "clel", {"target": "first-view"}),
        ("buffer", "replay", {"reinit": 0.5, "place": "host"}),
    ],
)
def test_parts_hold_their_promises_under_other_settings(kind: str, name: str, settings: dict[str, Any]) -> None:
    assert failures(kind, name, settings) == []


@pytest.fixture
def files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, n in (("train", 30), ("test", 20)):
        images, labels = FILES[split]
        x = rng.integers(0, 256, (n, 8, 8), dtype=np.uint8)
        (tmp_path / images).write_bytes(idx(x))
        (tmp_path / f"{labels}.gz").write_bytes(gzip.compress(idx(np.arange(n, dtype=np.uint8) % 10)))
        np.savez(tmp_path / f"{split}.npz", x=x, y=np.arange(n) % 3)
        (tmp_path / "shards").mkdir(exist_ok=True)
        np.savez(tmp_path / "shards" / f"{split}.npz", x=x, y=np.arange(n) % 3)
        for i in range(6):
            folder = tmp_path / "pictures" / split / "ab"[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(x[i]).save(folder / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("npz", {"path": "train.npz", "test_path": "test.npz"}),
        ("folder", {"path": "pictures"}),
        ("shards", {"path": "shards"}),
        ("fashion-mnist", {"root": "."}),
        ("mnist", {"root": "."}),
    ],
)
def test_sets_that_come_in_files_are_looked_at_where_there_are_files(
    name: str, settings: dict[str, Any], files: Path
) -> None:
    assert failures("dataset", name, {key: str(files / value) for key, value in settings.items()}) == []


@pytest.mark.usefixtures("fresh_host")
def test_a_declaration_that_nobody_offers_can_be_checked_and_one_that_takes_a_name_cannot() -> None:
    found = [outcome(check) for check in checks_for(part("right"))]
    assert {one.state for one in found} <= {"holds", "not applicable"}
    taken = Component(kind="energy", name="mlp", config=NoConfig, build="a:b", summary="another one")
    with pytest.raises(PluginError, match="another one of that name is installed"):
        checks_for(taken)
