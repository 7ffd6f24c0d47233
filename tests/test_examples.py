"""Every example runs, in seconds, and shows what it says."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from matplotlib import pyplot

import ebmkit
from ebmkit.metrics.features.named import load_features

EXAMPLES = Path(__file__).parent.parent / "examples"
BODY = re.compile(r"^for step, .*:\n((?:    .*\n)+)", re.MULTILINE)
"""The loop of one's own: its first lines, up to an empty one, are what a person has to write."""


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


def notebook(name: str, **constants: int) -> dict[str, Any]:
    """Runs a notebook with some of its constants changed; returns its names, and the axes that it drew as `drawn`."""
    path = EXAMPLES / "notebooks" / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    for constant, value in constants.items():
        source, n = re.subn(rf"^{constant} = .*$", f"{constant} = {value}", source, flags=re.MULTILINE)
        assert n == 1, f"{name} has no constant {constant}"
    names: dict[str, Any] = {"__name__": "__main__"}
    with matplotlib.rc_context({"backend": "Agg"}):
        pyplot.close("all")
        exec(compile(source, str(path), "exec"), names)
        names["drawn"] = [axis for number in pyplot.get_fignums() for axis in pyplot.figure(number).axes]
        pyplot.close("all")
    return names


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("notebooks/*.py")), ids=lambda path: path.stem)
def test_a_notebook_reads_as_one(path):
    """Cells of text and code take turns well enough: a title first, and text before each step."""
    source = path.read_text(encoding="utf-8")
    assert source.startswith("# %% [markdown]\n# # ")
    kinds = re.findall(r"^# %%( \[markdown\])?$", source, re.MULTILINE)
    assert kinds.count(" [markdown]") >= 4 and kinds.count("") >= 4
    assert "plt.show()" in source


def test_the_posterior_of_a_regression_is_the_exact_one():
    found = notebook("posterior", TRANSITIONS=60)
    assert set(found["errors"]) == {"nuts", "hmc", "mala"}
    for name, (off, spread, ess) in found["errors"].items():
        assert off < 5 / ess**0.5 and spread < 7 / ess**0.5, (name, off, spread, ess)
    assert abs(found["gradient"]).max() < 0.01
    assert len(found["drawn"]) == 2


def test_a_classifiers_energy_finds_noise_and_is_no_density():
    found = notebook("ood_scores", STEPS=150, TRANSITIONS=2)
    assert found["accuracy"] > 0.6 and found["table"]["uniform noise"][0] > 0.85
    assert 0.5 < found["table"]["sandals and bags"][0] < 0.95
    noise = float(found["scores"](found["others"]["uniform noise"])[0].mean())
    assert float(found["chains"].energy[-1].mean()) < noise - 2
    assert len(found["drawn"]) == 5 + 16


def test_a_density_in_the_plane_is_learnt_and_drawn():
    found = notebook("density_2d", STEPS=200)
    assert 0 < found["divergence"] < 1.5
    assert len(found["drawn"]) == 3 and found["draws"].x.shape == (50, 500, 2)


def test_a_network_and_a_tensor_of_ones_own_make_a_model():
    found = notebook("own_module", STEPS=150)
    assert found["model"].step == 150 and found["energy"].shape == (5000,) and found["score"].shape == (5000, 3)
    assert found["auroc"](found["normal"], found["faults"]["flow"]) > 0.6
    assert len(found["drawn"]) == 3


def test_a_loop_of_ones_own_trains():
    found = notebook("own_loop", STEPS=60)
    assert len(found["gaps"]) == 60 and found["report"].step == 60
    body = inspect.cleandoc(BODY.search((EXAMPLES / "notebooks" / "own_loop.py").read_text())[1]).splitlines()
    assert len(body) == 5 and body[0].startswith("report = ebmkit.train_step(")
    assert len(found["drawn"]) == 3 and bool(torch.isfinite(found["density"]).all())


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


@pytest.mark.skipif(not is_installed("ebmkit-diffusion"), reason="the plugin ebmkit-diffusion is not installed")
def test_one_pass_is_compared_with_the_truth(capsys):
    found = example("one_pass_likelihood").main(["--steps", "2", "-n", "60", "--chains", "4"])
    assert set(found) == {"gaussian", "four modes"} and all(len(numbers) == 5 for numbers in found.values())
    assert abs(found["gaussian"]["truth"] - 1.22) < 0.2 and capsys.readouterr().out.count("seed 0") == 2


@pytest.mark.skipif(not is_installed("ebmkit-diffusion"), reason="the plugin ebmkit-diffusion is not installed")
def test_rings_without_chains_are_judged_by_their_processor_time(capsys):
    small = ["energy.widths=[8]", "run.batch_size=20"]
    options = [word for setting in small for word in ("--set", setting)]
    ((spent, numbers),) = example("chain_free_rings").main(["--steps", "3", *options])
    assert spent > 0 and {"KL(data ‖ model)", "KL(model ‖ data)"} <= set(numbers)
    assert "seed 0, 3 steps" in capsys.readouterr().out


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


@pytest.mark.skipif(not is_installed("ebmkit-diffusion"), reason="the plugin ebmkit-diffusion is not installed")
def test_the_demo_is_a_run(capsys):
    from ebmkit.cli.main import main

    assert main(["run", *example("demo").RECIPE.split(), "--dry-run"]) == 0
    assert "steps = 2800" in capsys.readouterr().out


def test_the_demo_counts_and_shows_neighbours(tmp_path, capsys):
    demo = example("demo")
    data = ebmkit.build("dataset", "fashion-mini", split="test")
    x = data.batch(torch.arange(60), torch.Generator().manual_seed(0)).x
    assert demo.report(x, data.event_shape) == 10
    assert "10 of 10 classes have at least 3%" in capsys.readouterr().out
    demo.draw(x, x.flip(0), tmp_path / "demo.png")
    assert (tmp_path / "demo.png").is_file()


def test_the_classifier_of_garments_can_be_trained_again(tmp_path):
    path = tmp_path / "small.safetensors"
    right = example("train_classifier").main(
        ["--out", str(path), "--limit", "600", "--epochs", "2", "--batch-size", "16"]
    )
    assert right > 0.4
    features = load_features(str(path), (1, 28, 28), (0.0, 1.0))
    assert (
        features.name == "small" and features.classes[0] == "T-shirt/top" and "600 training images" in features.source
    )
