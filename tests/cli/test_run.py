"""`run` and `resume`: what they write, print and repeat."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path


def same_run(one: Path, other: Path) -> None:
    """Asserts that two runs have the same metrics and the same last checkpoint, bit for bit."""
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()
    last = sorted((one / "checkpoints").iterdir())[-1]
    files = sorted(last.glob("*.safetensors"))
    assert files
    for file in files:
        assert file.read_bytes() == (other / "checkpoints" / last.name / file.name).read_bytes()


def test_dry_run_prints_the_recipe_and_writes_nothing(cli, toy, tmp_path) -> None:
    named = ("--objective", "cd+energy-l2", "--set", "objective.energy-l2.alpha=0.1")
    answer = cli("run", *toy, *named, "--steps", 3, "--dry-run")
    assert answer.status == 0
    assert not list(tmp_path.iterdir())
    Path("r.toml").write_text(answer.out)
    again = cli("run", "--recipe", "r.toml", "--dry-run")
    assert tomllib.loads(again.out) == tomllib.loads(answer.out)
    assert again.err == ""


def test_dry_run_without_the_data(cli) -> None:
    answer = cli("run", "--energy", "mlp", "--data", "npz:gone.npz", "--dry-run")
    assert answer.status == 0
    assert answer.out.startswith("resolved = true")
    assert "gone.npz" in answer.err


def test_a_run_ends_with_what_to_do_next(cli, toy) -> None:
    out = cli("run", *toy, "--steps", 3).out
    assert "step 3/3" in out
    assert "\x1b" not in out
    assert out.splitlines()[-4:] == [
        "Train on:  ebmkit resume runs/mlp-cd-001 --steps 6",
        "Sample:    ebmkit sample runs/mlp-cd-001 -n 64 --out samples.png",
        "Picture:   runs/mlp-cd-001/samples/step-00000003.png",
        "Run:       runs/mlp-cd-001",
    ]
    assert "runs/mlp-cd-002" in cli("run", *toy, "--steps", 1).out


def test_what_was_added_is_said(cli, small) -> None:
    Path("labelled.npz").write_bytes(labelled())
    parts = ("--energy", "mlp", "--coordinate", "label", "--sampler", "sgld")
    answer = cli("run", *parts, "--data", "npz:labelled.npz", *small, "--steps", 1)
    assert "label needs energy.labels" in answer.out


def test_a_recorded_recipe_repeats_the_run(cli, trained) -> None:
    assert cli("run", "--recipe", trained / "recipe.toml", "--out", "again").status == 0
    same_run(trained, Path("again"))
    assert Path("again/recipe.toml").read_bytes() == (trained / "recipe.toml").read_bytes()


def test_a_resumed_run_is_the_uninterrupted_one(cli, toy, trained) -> None:
    flags = ("--set", "checkpoint.every=2", "--set", "log.every=1", "--out", "half")
    assert cli("run", *toy, *flags, "--steps", 2).status == 0
    assert cli("resume", "half", "--steps", 4).status == 0
    same_run(trained, Path("half"))


def test_resume_if_present(cli, toy, trained) -> None:
    flags = (*toy, "--set", "checkpoint.every=2", "--set", "log.every=1", "--out", "it", "--resume-if-present")
    assert cli("run", *flags, "--steps", 2).status == 0
    assert cli("run", *flags, "--steps", 4).status == 0
    same_run(trained, Path("it"))
    done = cli("run", *flags, "--steps", 4)
    assert done.status == 0
    assert "has made its 4 steps" in done.out
    cli("run", *flags, "--steps", 4, "--seed", 9).refuses("different: run.seed")
    cli("run", *toy, "--resume-if-present").refuses("--out")


def test_resume_if_present_starts_over_without_a_checkpoint(cli, toy, trained) -> None:
    shutil.copytree(trained, "it")
    shutil.rmtree("it/checkpoints")
    Path("it/checkpoints/.writing-00000002").mkdir(parents=True)
    Path("it/checkpoints/.writing-00000002/half").touch()
    flags = ("--set", "checkpoint.every=2", "--set", "log.every=1", "--out", "it", "--resume-if-present")
    assert cli("run", *toy, *flags, "--steps", 4).status == 0
    same_run(trained, Path("it"))


def test_an_idea_in_a_file(cli, small) -> None:
    Path("idea.py").write_text(IDEA)
    parts = ("--energy", "bowl", "--sampler", "sgld", "--data", "toy:rings")
    answer = cli("run", *parts, *small[2:], "--steps", 2, "--out", "x", "--plugin", "idea.py")
    assert answer.status == 0, answer.err
    assert answer.out.splitlines()[-4].endswith("--plugin idea.py")


def labelled() -> bytes:
    from io import BytesIO

    import numpy as np

    rng, file = np.random.default_rng(0), BytesIO()
    np.savez(file, x=rng.normal(size=(20, 3)).astype("float32"), y=np.arange(20) % 2)
    return file.getvalue()


IDEA = """
from ebmkit import Component, energy, seeded

def build_bowl(config, context):
    import torch
    with seeded(context.seed):
        return energy(torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)))

COMPONENTS = [Component(kind="energy", name="bowl", build="ebmkit_plugin_file_idea:build_bowl", summary="an idea")]
"""


def test_a_run_without_chains_on_bits_ends_with_a_sampler_of_bits(cli, small) -> None:
    named = ("--data", "toy-discrete", "--objective", "free", "--energy", "mlp")
    Path("free.py").write_text(FREE)
    out = cli("run", "--plugin", "free.py", *named, *small[:4], "--steps", 1, "--out", "bits").out
    assert "ebmkit sample bits -n 64 --out samples.npz --sampler gibbs-with-gradients" in out
    drawn = cli("sample", "bits", "-n", 4, "--out", "x.npz", "--sampler", "gibbs-with-gradients")
    assert drawn.status == 0
    assert "where x is discrete, gibbs-with-gradients" in cli("sample", "bits", "-n", 4, "--out", "y.npz").err


FREE = """
import ebmkit


class Free:
    requires = ebmkit.Requires(negatives=False)

    def losses(self, energy, phases):
        return {"square": phases.evaluate("positive").square().mean()}


COMPONENTS = (
    ebmkit.Component(kind="objective", name="free", build=f"{__name__}:build", summary="squares", negatives=False,
                     gives=("objective.fit",)),
)


def build(config, context):
    return Free()
"""
