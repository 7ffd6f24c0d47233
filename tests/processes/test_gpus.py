"""Runs on GPUs: alone, and in two processes that exchange by NCCL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

RECIPE = """
[run]
steps = 4
batch_size = 8
device = "cuda"
engine = "eager"
precision = "fp32"
seed = 1
fully_shard = {split}
[log]
tensorboard = false
[checkpoint]
every = 2
[data]
use = "fashion-mini"
[energy]
use = "resnet"
widths = [8, 16]
[buffer]
use = "replay"
capacity = 64
[[sampler]]
use = "sgld"
moves = 4
"""


def trained(folder: Path, n_processes: int, *, split: bool = False) -> Path:
    """Trains in processes of their own, as a user starts them."""
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE.format(split=str(split).lower()))
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    command = [*(several if n_processes > 1 else []), "-m", "ebmkit", "run"]
    asked = ["--recipe", str(folder / "recipe.toml"), "--out", str(folder / "run")]
    done = subprocess.run([sys.executable, *command, *asked], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "run" / "checkpoints" / "step-00000004"


@pytest.mark.cuda
def test_a_run_on_a_gpu(tmp_path: Path) -> None:
    assert all(t.isfinite().all() for t in load_file(trained(tmp_path / "one", 1) / "energy.safetensors").values())


@pytest.mark.cuda
def test_two_gpus_train_split_weights_as_whole_ones(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    whole, split = (
        load_file(trained(tmp_path / name, 2, split=name == "split") / "energy.safetensors")
        for name in ("whole", "split")
    )
    for name, tensor in whole.items():
        torch.testing.assert_close(split[name], tensor, rtol=1e-4, atol=1e-5)
