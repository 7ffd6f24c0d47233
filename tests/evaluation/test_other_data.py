"""Another data set as events of a model: what fits is kept, what is changed is told, what cannot be is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator
from torch.nn import functional

from ebmkit.data.arrays import dequantise, quantise
from ebmkit.data.spec import DataSpec
from ebmkit.errors import DataError, RecipeError
from ebmkit.evaluation.fitting import fit_images
from ebmkit.evaluation.other_data import OtherData, fitted, other_data, set_name, set_names


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def spec(shape: tuple[int, ...], value_range: Any = (0.0, 1.0), values: Any = "real") -> DataSpec:
    return DataSpec(event_shape=shape, value_range=value_range, n_classes=0, class_names=(), n_data=9, x_values=values)


def saved(path: Path, shape: tuple[int, ...], **more: Any) -> str:
    np.savez(path, x=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), **more)
    return f"npz:{path}"


def test_data_that_fit_are_left_alone_and_nothing_is_said(tmp_path: Path) -> None:
    text = saved(tmp_path / "x.npz", (9, 1, 6, 6), y=np.arange(9) % 3)
    found = other_data(text, spec((1, 6, 6)), None, rng())
    levels = np.load(tmp_path / "x.npz")["x"]
    assert found.notes == () and (quantise(found.batch.x).numpy() == levels).all()
    assert found.batch.y is not None and found.batch.y.tolist() == [i % 3 for i in range(9)]
    batch, notes = fitted(text, spec((1, 6, 6)), 4, rng())
    assert len(batch) == 4 and notes == ()


def test_rows_are_a_choice_of_the_seed(tmp_path: Path) -> None:
    text = saved(tmp_path / "x.npz", (50, 1, 6, 6))

    def rows(seed: int, n: int | None = 10) -> list[int]:
        found: OtherData = other_data(text, spec((1, 6, 6)), n, rng(seed))
        assert len(found.batch) == len(found.rows)
        return found.rows.tolist()

    assert rows(1) == rows(1) == sorted(rows(1)) and rows(1) != rows(2) and len(set(rows(1))) == 10
    assert rows(1, None) == rows(1, 99) == list(range(50))


def test_colour_images_become_small_grey_ones_as_pillow_makes_them(tmp_path: Path) -> None:
    picture = np.zeros((3, 32, 32), dtype=np.uint8)
    picture[0, 8:24, 8:24], picture[1, :, ::2], picture[2, 20:] = 255, 200, 90
    np.savez(tmp_path / "x.npz", x=picture[None].repeat(2, axis=0))
    found = other_data(f"npz:{tmp_path / 'x.npz'}", spec((1, 16, 16)), None, rng())
    grey = Image.fromarray(picture.transpose(1, 2, 0)).convert("L").resize((16, 16), Image.Resampling.BICUBIC)
    assert found.batch.x.shape == (2, 1, 16, 16)
    assert np.abs(quantise(found.batch.x)[0, 0].numpy().astype(int) - np.asarray(grey).astype(int)).max() <= 2
    assert found.notes == (
        f"npz:{tmp_path / 'x.npz'}: its images were taken from 3×32×32 to 1×16×16 (RGB to grey by .299 R + .587 G + "
        ".114 B, antialiased bicubic); rounded to 8 bits and dequantised as images are when they are read.",
    )


def test_images_that_were_fitted_carry_the_noise_of_data() -> None:
    """A plain resize averages the noise of dequantisation away, and that alone would tell the images from data."""
    levels = torch.full((200, 1, 32, 32), 100, dtype=torch.uint8)
    x = dequantise(levels, torch.rand(levels.shape, generator=rng()))

    def has_the_noise_of_data(made: torch.Tensor) -> bool:
        return abs(float(made.std() * 256) - 12**-0.5) < 0.01

    made, _ = fit_images(x, (1, 16, 16), (0.0, 1.0), rng(1))
    assert bool((quantise(made) == 100).all()) and has_the_noise_of_data(made)
    assert not has_the_noise_of_data(functional.interpolate(x, size=(16, 16), mode="bicubic", antialias=True))


def test_grey_becomes_colour_and_sides_are_stretched_aloud(tmp_path: Path) -> None:
    found = other_data(saved(tmp_path / "x.npz", (4, 1, 10, 20)), spec((3, 32, 32)), None, rng())
    levels = quantise(found.batch.x)
    assert levels.shape == (4, 3, 32, 32)
    assert bool((levels[:, 0] == levels[:, 1]).all()) and bool((levels[:, 0] == levels[:, 2]).all())
    assert "grey repeated as RGB, antialiased bicubic, its sides stretched" in found.notes[0]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 255.0)])
def test_floats_of_a_usual_range_are_mapped_aloud(tmp_path: Path, low: float, high: float) -> None:
    x = np.linspace(low, high, 4 * 16, dtype=np.float32).reshape(4, 1, 4, 4)
    np.savez(tmp_path / "x.npz", x=x)
    found = other_data(f"npz:{tmp_path / 'x.npz'}", spec((1, 4, 4)), None, rng())
    assert np.allclose(found.batch.x.numpy(), (x - low) / (high - low), atol=1e-6)
    assert found.notes == (f"npz:{tmp_path / 'x.npz'}: its values were mapped from [{low:g}, {high:g}] to [0, 1].",)
    one = other_data(f"npz:{tmp_path / 'x.npz'}", spec((1, 4, 4)), 1, rng(1))  # a row that lies in [0, 1] by chance
    assert one.notes == found.notes


def test_a_known_range_is_mapped_to_another(tmp_path: Path) -> None:
    found = other_data(saved(tmp_path / "x.npz", (4, 1, 4, 4)), spec((1, 4, 4), (-1.0, 1.0)), None, rng())
    assert found.notes[0].endswith("x.npz: its values were mapped from [0, 1] to [-1, 1].") and len(found.notes) == 1
    assert float(found.batch.x.min()) < -0.5 and float(found.batch.x.max()) <= 1


def test_vectors_are_taken_as_they_are() -> None:
    found = other_data("toy:moons", spec((2,), None), 20, rng())
    assert found.batch.x.shape == (20, 2) and found.notes == ()


def test_pictures_of_several_sizes_are_stretched_aloud(tmp_path: Path) -> None:
    for i, size in enumerate([(8, 8), (20, 10), (5, 5)]):
        Image.new("L", size, 40 * i).save(tmp_path / f"{i}.png")
    found = other_data(f"folder:{tmp_path}", spec((1, 6, 6)), None, rng())
    assert found.batch.x.shape == (3, 1, 6, 6)
    assert found.notes == (f"folder:{tmp_path}: its pictures differ in size: each was stretched to 6×6 (bicubic).",)
    assert quantise(found.batch.x).flatten(1).float().mean(dim=1).tolist() == [0, 40, 80]


def test_what_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    images, odd = saved(tmp_path / "x.npz", (4, 1, 4, 4)), tmp_path / "odd.npz"
    np.savez(odd, x=np.linspace(-7, 7, 64, dtype=np.float32).reshape(4, 1, 4, 4))
    wrong: list[tuple[str, DataSpec, str]] = [
        ("toy:moons", spec((1, 4, 4)), r"toy:moons holds x of shape \[2\], and the run knows \[1, 4, 4\]"),
        (images, spec((2,), None), r"holds x of shape \[1, 4, 4\], and the run knows \[2\]"),
        (images, spec((1, 4, 4), values="binary"), "holds real x, and the run knows binary x"),
        (f"npz:{odd}", spec((1, 4, 4)), r"values in \[-7, 7\], and the run knows values in \[0, 1\]"),
        (f"folder:{tmp_path}/none", spec((1, 4, 4)), "found none at"),
    ]
    for text, data, words in wrong:
        with pytest.raises(DataError, match=words):
            other_data(text, data, None, rng())
    with pytest.raises(RecipeError, match="nmist"):
        other_data("nmist:here", spec((1, 4, 4)), None, rng())


def test_names_of_sets() -> None:
    assert set_name("mnist:/data/mnist") == "mnist"
    assert set_names(["npz:a/x.npz", "npz:b/x.npz", "folder:faces/"]) == ["npz:a/x.npz", "npz:b/x.npz", "faces"]
