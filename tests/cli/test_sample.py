"""`sample`: files of each kind, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.cli.sampling import given_values, write_whole


def test_arrays_repeat_with_the_seed(cli, trained) -> None:
    draws = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        answer = cli("sample", trained, "-n", 5, "--rounds", 2, "--seed", seed, "--out", f"{name}.npz")
        assert answer.status == 0
        assert answer.out.startswith(f"{name}.npz: 5 chains after 4 training steps, 4 gradients each (2 rounds)")
        draws.append(np.load(f"{name}.npz"))
    assert draws[0]["x"].shape == (5, 2)
    assert (draws[0]["x"] == draws[1]["x"]).all()
    assert not (draws[0]["x"] == draws[2]["x"]).all()
    assert str(draws[0]["recipe"]).startswith("resolved = true")
    assert int(draws[0]["step"]) == 4


def test_a_picture_is_overwritten(cli, trained) -> None:
    Path("x.png").write_bytes(b"old")
    assert cli("sample", trained, "-n", 5, "--rounds", 1, "--out", "x.png").status == 0
    assert Image.open("x.png").size == (600, 600)


def test_a_gif_has_a_frame_a_round(cli, small) -> None:
    np.savez("images.npz", x=np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8))
    flags = ("--energy", "mlp", "--data", "npz:images.npz", "--set", "sample.batch_size=4", *small)
    assert cli("run", *flags, "--steps", 1, "--out", "x").status == 0
    assert cli("sample", "x", "-n", 6, "--rounds", 3, "--out", "x.gif").status == 0
    assert Image.open("x.gif").n_frames == 3


def test_given_values() -> None:
    assert given_values(["label=3", "latent=class:3*1,image:a=b.png"]) == {
        "label": "3",
        "latent": "class:3*1,image:a=b.png",
    }


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x.png", half)
    assert not list(tmp_path.iterdir())


def test_the_global_stream_is_left_alone(cli, trained) -> None:
    before = torch.get_rng_state()
    cli("sample", trained, "-n", 2, "--rounds", 1, "--out", "x.png")
    assert torch.equal(before, torch.get_rng_state())
