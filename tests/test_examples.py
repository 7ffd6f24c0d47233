"""Every example runs, in seconds, and shows what it says."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str):
    """Returns an example as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_installed(name: str) -> bool:
    try:
        return distribution(name) is not None
    except PackageNotFoundError:
        return False


def test_toy_density_learns_the_rings_and_draws_them(tmp_path):
    toy = example("toy_density")
    few = toy.main(["--density", "rings", "--steps", "1", "--out", str(tmp_path / "few")])
    more = toy.main(["--density", "rings", "--steps", "100", "--out", str(tmp_path / "more")])
    assert 0 < more < few - 0.2
    assert (tmp_path / "more" / "density.png").stat().st_size > 10_000


def test_toy_density_puts_its_picture_the_right_way_up():
    toy = example("toy_density")
    plane = toy.plane().view(toy.N_CELLS, toy.N_CELLS, 2)
    assert (plane[:, :-1, 0] < plane[:, 1:, 0]).all() and (plane[:-1, :, 1] < plane[1:, :, 1]).all()
    log_p = toy.log_density(lambda point: point.x.square().sum(1) / 2, toy.plane(), 0.5)
    assert float(log_p.exp().sum()) * (2 * toy.HALF_WIDTH / toy.N_CELLS) ** 2 == pytest.approx(1.0)


def test_handwritten_energy_finds_the_exact_moments():
    handwritten = example("handwritten_energy")
    found = handwritten.main(chains=1000, transitions=40)
    assert found == pytest.approx(handwritten.EXACT, abs=0.1)


def test_classifier_energy_prefers_garments_to_noise():
    found = example("classifier_energy").main(steps=100, transitions=2)
    assert found["garments"] < found["noise"]
    assert found["chains started at noise"] < found["noise"]


@pytest.mark.skipif(not is_installed("ebmkit-clel"), reason="the plugin ebmkit-clel is not installed")
def test_clel_fashion_trains_and_samples_freely_and_given_latents(tmp_path):
    small = ["run.batch_size=8", "sampler.sgld.moves=2", "buffer.capacity=16", "energy.widths=[8,8]"]
    options = [word for setting in small for word in ("--set", setting)]
    found = example("clel_fashion").main(
        ["--out", str(tmp_path / "run"), "--steps", "2", "-n", "4", "--transitions", "1", *options]
    )
    assert set(found) == {"free", "class", "both", "without"}
    for name, x in found.items():
        assert x.shape == (4, 1, 28, 28) and bool(((x >= 0) & (x <= 1)).all())
        assert (tmp_path / "run" / f"{name}.png").is_file()
    assert not torch.equal(found["class"], found["both"])


def test_own_idea_is_used_by_name(tmp_path):
    command = "run --objective margin --energy mlp --data toy:rings --set run.temperature=1 --steps 2 --out run"
    done = subprocess.run(
        [sys.executable, "-m", "ebmkit", *command.split(), "--plugin", str(EXAMPLES / "own_idea.py")],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "margin.hinge" in done.stdout
    assert "objective cd" not in done.stdout + done.stderr
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").is_dir()
