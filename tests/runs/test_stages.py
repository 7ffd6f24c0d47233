"""Laws of runs with stages: what passes on, what begins anew, and that they can be stopped anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.errors import CheckpointError, RecipeError
from ebmkit.recipes.recipe import read_recipe, to_toml
from ebmkit.recipes.stage import at_stage
from ebmkit.runs import loop
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.kept import OnDisk
from ebmkit.runs.log import pictures
from ebmkit.runs.loop import Trainer

WARM, EXACT, LAST = (
    {"name": "warm", "steps": 4, "batch_size": 32, "objective": [{"use": "denoising-score-matching", "sigma": 0.3}],
     "optim": {"energy": {"lr": 1e-2, "schedule": "cosine"}}},
    {"name": "exact", "steps": 5, "objective": [{"use": "cd"}], "sampler": [{"use": "mala", "moves": 2}],
     "buffer": {"use": "replay", "capacity": 64}},
    {"name": "again", "steps": 3, "objective": [{"use": "cd"}, {"use": "noise-contrastive"}],
     "sampler": [{"use": "sgld", "moves": 2}]},
)  # fmt: skip
ASKED: dict[str, Any] = {
    "run": {"batch_size": 16, "ema_copy_steps": 2, "ema_half_life": 64.0},
    "data": {"use": "toy", "density": "rings", "n": 64},
    "energy": {"use": "mlp", "widths": [8]},
    "log": {"every": 1, "tensorboard": False},
    "checkpoint": {"every": 3, "keep": 20},
    "pictures": {"every": 5, "n": 8},
    "stage": [WARM, EXACT, LAST],
}


def held(directory: Path) -> dict[str, bytes]:
    patterns = ("recipe.toml", "*.jsonl", "samples/*.png", "checkpoints/*/*.safetensors")
    return {str(p.relative_to(directory)): p.read_bytes() for pattern in patterns for p in directory.glob(pattern)}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def tensors(directory: Path, step: int) -> Any:
    return checkpoint.load(directory / "checkpoints" / f"step-{step:08d}").tensors


def resumed_in_silence(directory: Path) -> None:
    told: list[str] = []
    ebmkit.resume(directory, note=told.append)
    assert [line for line in told if "engine =" not in line] == []


def stop_after(step: int) -> Any:
    def watch(progress: Any) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return watch


@pytest.fixture(scope="module", autouse=True)
def plain_pictures() -> Iterator[None]:
    """Pictures hold the chains as they are: to draw them in the plane would take most of the time."""

    def save_plane(path: Path, clouds: Any, **_: Any) -> None:
        path.write_bytes(clouds[-1][1].numpy().tobytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "save_plane", save_plane)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("whole") / "run"
    ebmkit.run(ASKED, made)
    return made


def test_steps_are_counted_through_and_each_says_its_stage(whole: Path) -> None:
    logged = lines(whole / "metrics.jsonl")
    assert [line["step"] for line in logged] == list(range(1, 13))
    assert [line["stage"] for line in logged] == [1.0] * 4 + [2.0] * 5 + [3.0] * 3
    assert "loss.cd.gap" not in logged[3] and "loss.cd.gap" in logged[4]
    saved = {path.name: checkpoint.load(path).stage for path in checkpoint.checkpoints(whole / "checkpoints")}
    names = {3: "warm", 4: "warm", 6: "exact", 9: "exact", 12: "again"}
    assert saved == {f"step-{step:08d}": name for step, name in names.items()}


def test_the_recipe_of_a_run_holds_its_stages_complete_and_gives_the_run_again(whole: Path, tmp_path: Path) -> None:
    recipe = read_recipe(whole / "recipe.toml")
    assert recipe.resolved and [stage.name for stage in recipe.stages] == ["warm", "exact", "again"]
    assert all(stage.config.engine in ("eager", "compile") for stage in recipe.stages)
    assert recipe.stages[1].parts["buffer"][0].settings["capacity"] == 64 and recipe.table("run").steps == 12
    ebmkit.run(whole / "recipe.toml", tmp_path / "run")
    assert held(tmp_path / "run") == held(whole)


def test_weights_and_averages_pass_on_and_optimisers_begin_anew(whole: Path) -> None:
    recipe = complete(ASKED).recipe
    trainer = Trainer(None, assemble(at_stage(recipe, 1)))
    left = checkpoint.load(whole / "checkpoints" / "step-00000004")
    trainer.take(left)
    state = trainer.state
    assert state.step == 4 and not state.optimisers.optimisers["energy"].state_dict()["state"]
    assert all(torch.equal(v, left.tensors["energy"][k]) for k, v in state.owners["energy"].state_dict().items())
    assert all(torch.equal(v, left.tensors["ema.energy"][k]) for k, v in state.averages.values["energy"].items())
    assert any(not torch.equal(v, left.tensors["energy"][k]) for k, v in left.tensors["ema.energy"].items())


def test_a_stage_of_a_run_is_that_stage_alone_from_what_was_left(whole: Path, tmp_path: Path) -> None:
    """The law of the border: nothing but what is handed on takes part in the next stage."""
    recipe = complete(ASKED).recipe
    trainer = Trainer(tmp_path, assemble(at_stage(recipe, 1)))
    trainer.take(checkpoint.load(whole / "checkpoints" / "step-00000004"))
    while trainer.state.step < 9:
        trainer._step(trainer.state.step + 1)
    for name, own in trainer.state.saved(trainer.assembly.data).tensors.items():
        assert all(torch.equal(value, tensors(whole, 9)[name][key]) for key, value in own.items()), name


def test_an_objective_keeps_what_it_owns_where_both_stages_have_it(tmp_path: Path) -> None:
    nce = {"name": "nce", "steps": 2, "objective": [{"use": "noise-contrastive"}]}
    both = {"name": "both", "steps": 1, "objective": [{"use": "noise-contrastive"}, {"use": "sliced-score-matching"}],
            "optim": {"noise-contrastive": {"use": "sgd", "lr": 1e-30}}}  # fmt: skip
    ebmkit.run({**ASKED, "stage": [nce, both, {**WARM, "steps": 1}, {**nce, "name": "anew", "steps": 1}]}, tmp_path)
    learnt, kept = (tensors(tmp_path, step)["noise-contrastive"] for step in (2, 3))
    assert learnt.keys() == kept.keys() and all(torch.equal(value, learnt[key]) for key, value in kept.items())
    assert "noise-contrastive" not in tensors(tmp_path, 4) and "noise-contrastive" in tensors(tmp_path, 5)


@pytest.mark.parametrize("step", range(1, 13))
def test_a_run_goes_on_bit_for_bit_wherever_it_was_killed(step: int, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(ASKED, tmp_path / "run", watch=stop_after(step))
    resumed_in_silence(tmp_path / "run")
    assert held(tmp_path / "run") == held(whole)


@pytest.mark.parametrize("moment", ["before the parts are built", "after the recipe is written"])
@pytest.mark.parametrize("border", [1, 2])
def test_a_run_goes_on_bit_for_bit_from_a_border(
    moment: str, border: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    borders: list[int] = []

    def broken(then: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            done = then(*arguments, **settings)
            borders.append(1)
            if len(borders) == border:
                raise KeyboardInterrupt
            return done

        return call

    with monkeypatch.context() as patch:
        if moment == "before the parts are built":
            patch.setattr(loop, "assemble", broken(loop.assemble))
        else:
            patch.setattr(OnDisk, "enter", broken(OnDisk.enter))
        with pytest.raises(KeyboardInterrupt):
            ebmkit.run(ASKED, tmp_path / "run")
    assert ebmkit.load(tmp_path / "run").step == (4, 9)[border - 1]
    resumed_in_silence(tmp_path / "run")
    assert held(tmp_path / "run") == held(whole)


def test_a_damaged_checkpoint_at_the_border_costs_the_steps_since_the_one_before(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(ASKED, tmp_path / "run", watch=stop_after(5))
    (tmp_path / "run" / "checkpoints" / "step-00000004" / "energy.safetensors").write_bytes(b"")
    ebmkit.resume(tmp_path / "run", note=lambda line: None)
    assert held(tmp_path / "run").keys() >= held(whole).keys()
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_the_model_of_a_stopped_run_is_that_of_the_stage_it_was_in(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run({**ASKED, "checkpoint": {"every": 50}}, tmp_path / "run", watch=stop_after(6))
    stopped, finished = ebmkit.load(tmp_path / "run"), ebmkit.load(whole)
    assert stopped.step == 4 and list(stopped.objectives) == ["denoising-score-matching"]
    assert list(finished.objectives) == ["cd", "noise-contrastive"]
    assert finished.sample(3, transitions=2).x.shape == (3, 2)
    assert to_toml(finished.recipe) == (whole / "recipe.toml").read_text()


def test_more_steps_are_made_by_the_last_stage(whole: Path, tmp_path: Path) -> None:
    ebmkit.run(ASKED, tmp_path / "run")
    assert ebmkit.resume(tmp_path / "run", steps=15).step == 15
    assert lines(tmp_path / "run" / "metrics.jsonl")[:12] == lines(whole / "metrics.jsonl")
    recipe = read_recipe(tmp_path / "run" / "recipe.toml")
    assert [stage.steps for stage in recipe.stages] == [4, 5, 6] and recipe.table("run").steps == 15
    with pytest.raises(RecipeError, match="9 steps are asked for in all"):
        ebmkit.resume(tmp_path / "run", steps=9)


def test_a_changed_order_of_stages_is_told_on_resuming(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ebmkit.run(ASKED, tmp_path / "run", watch=stop_after(7))
    path = tmp_path / "run" / "recipe.toml"
    path.write_text(path.read_text().replace('name = "exact"', 'name = "other"'))
    with pytest.raises(CheckpointError, match=r"step 6 is of stage 'exact'.*stage 'other' begins after step 4"):
        ebmkit.resume(tmp_path / "run")
    with pytest.raises(RecipeError, match=r"of stage .exact., but recipe\.toml has warm, other, again"):
        ebmkit.load(tmp_path / "run")


def test_a_run_in_memory_has_stages_too(whole: Path) -> None:
    recipe = complete(ASKED).recipe
    trainer = Trainer(None, assemble(at_stage(recipe, 0)))
    trainer.train()
    assert trainer.state.step == 12 and [line["stage"] for line in trainer.history][::4] == [1.0, 2.0, 2.0]
    found = trainer.state.saved(trainer.assembly.data).tensors["energy"]
    assert all(torch.equal(value, tensors(whole, 12)["energy"][key]) for key, value in found.items())
