"""Laws of `run.init`: what passes on from another run, and what is refused, with what differs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.errors import CheckpointError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, read_recipe
from ebmkit.runs.checkpoints import checkpoint
from ebmkit.runs.init import _differing_settings, take_init
from ebmkit.runs.loop import Trainer

ASKED: dict[str, Any] = {
    "run": {"steps": 4, "batch_size": 16, "ema_copy_steps": 2, "ema_half_life": 64.0},
    "data": {"use": "toy", "density": "rings", "n": 64},
    "energy": {"use": "mlp", "widths": [8]},
    "objective": [{"use": "noise-contrastive"}],
    "log": {"every": 1, "tensorboard": False},
    "pictures": {"every": 1000, "n": 4},
}
WRAPPED = '''
"""A wrapper with one parameter of its own, and a level of nesting more."""
from torch import nn
import torch
from ebmkit import Component


class Shifted(nn.Module):
    abilities = frozenset()

    def __init__(self, inner):
        super().__init__()
        self.around = inner
        self.shift = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, point):
        return self.around(point) + self.shift


COMPONENTS = (Component(kind="wrapper", name="shifted", build=f"{__name__}:build", summary="adds a number"),
              Component(kind="wrapper", name="again", build=f"{__name__}:build", summary="adds another"))


def build(config, context):
    return Shifted(context.inner)
'''


@pytest.fixture(autouse=True)
def own_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
    file = tmp_path / "shifted_wrapper.py"
    file.write_text(WRAPPED, encoding="utf-8")
    host().add_file(file)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("warm") / "run"
    ebmkit.run(ASKED, made)
    return made


def asked(init: Path | str, **tables: Any) -> dict[str, Any]:
    run = {**ASKED["run"], "init": str(init), **tables.pop("run", {})}
    return {**ASKED, **tables, "run": run}


def begun(recipe: dict[str, Any]) -> tuple[Trainer, list[str]]:
    told: list[str] = []
    made = complete(recipe)
    trainer = Trainer(None, assemble(made.recipe, dataset=made.dataset))
    take_init(trainer.assembly, trainer.state, told.append)
    return trainer, told


def saved(directory: Path) -> Any:
    return checkpoint.load(checkpoint.latest(directory)).tensors


def test_weights_and_averages_of_every_owner_are_the_start(warm: Path) -> None:
    trainer, told = begun(asked(warm))
    left, now = saved(warm), trainer.state.saved(trainer.assembly.data).tensors
    for name in ("energy", "noise-contrastive", "ema.energy", "ema.noise-contrastive"):
        assert all(torch.equal(value, left[name][key]) for key, value in now[name].items()), name
    assert any(not torch.equal(value, left["ema.energy"][key]) for key, value in left["energy"].items())
    assert trainer.state.step == 0 and not now["optim.energy"]
    assert told == [f"init {warm}: weights and averages of step 4 are the start; afresh begin optimisers, chains"]


def test_the_averages_of_the_other_run_are_not_copied_over_in_the_first_steps(warm: Path) -> None:
    trainer, _ = begun(asked(warm, run={"ema_half_life": 1e9}))
    trainer._step(1)
    means, left = trainer.state.averages.values["energy"], saved(warm)["ema.energy"]
    assert all(torch.allclose(means[key], left[key], atol=1e-5) for key in means)
    assert any(
        not torch.allclose(trainer.state.owners["energy"].state_dict()[key], left[key], atol=1e-5) for key in means
    )


def test_it_is_recorded_and_the_run_repeats_and_starts_over(warm: Path, tmp_path: Path) -> None:
    one = ebmkit.run(ASKED, tmp_path / "one", init=warm)
    kept = json.loads((tmp_path / "one" / "environment.json").read_text())["init"]
    assert kept["run"] == str(warm) and kept["step"] == 4 and len(kept["sha256"]) == 64 and kept["afresh"] == []
    assert read_recipe(tmp_path / "one" / "recipe.toml").table("run").init == str(warm)
    ebmkit.run(tmp_path / "one" / "recipe.toml", tmp_path / "two")

    def stop(progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # before its first checkpoint: it starts over, from the other run again
        ebmkit.run(ASKED, tmp_path / "three", init=warm, watch=stop)
    ebmkit.resume(tmp_path / "three")
    for other in ("two", "three"):
        for name, own in saved(tmp_path / "one").items():
            assert all(torch.equal(value, saved(tmp_path / other)[name][key]) for key, value in own.items())
    assert one.step == 4


def test_it_is_not_read_again_on_resuming(warm: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    warm_copy = ebmkit.run(ASKED, gone).directory
    ebmkit.run(ASKED, tmp_path / "run", init=warm_copy)
    gone.rename(tmp_path / "elsewhere")
    assert ebmkit.resume(tmp_path / "run", steps=6).step == 6


def test_a_wrapper_that_it_lacks_begins_afresh_where_that_is_said(warm: Path) -> None:
    wrappers = [{"use": "shifted"}, {"use": "again"}]
    with pytest.raises(
        RecipeError, match=r"wrapper again\+shifted here, none there.*run\.init_fresh=\[\"again\", \"shif"
    ):
        begun(asked(warm, wrapper=wrappers))
    trainer, told = begun(asked(warm, wrapper=wrappers, run={"init_fresh": ["shifted", "again"]}))
    now, left = trainer.state.owners["energy"].state_dict(), saved(warm)["energy"]
    assert torch.equal(now["around.around.layers.0.weight"], left["layers.0.weight"])
    assert float(now["shift"]) == float(now["around.shift"]) == 0.5
    assert "afresh begin shifted, again, optimisers" in told[0]


def test_one_wrapper_of_two_can_be_new(warm: Path, tmp_path: Path) -> None:
    inner = ebmkit.run({**ASKED, "wrapper": [{"use": "again"}]}, tmp_path / "inner").directory
    trainer, _ = begun(asked(inner, wrapper=[{"use": "again"}, {"use": "shifted"}], run={"init_fresh": ["shifted"]}))
    now, left = trainer.state.owners["energy"].state_dict(), saved(inner)["energy"]
    assert float(now["shift"]) == 0.5 and torch.equal(now["around.shift"], left["shift"])
    assert torch.equal(now["around.around.layers.0.bias"], left["around.layers.0.bias"])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"energy": {"use": "mlp", "widths": [9]}},
         r"mlp\.widths = \[9\] here, \[8\] there; energy: of another shape layers\.0\.weight \[9, 2\] here, \[8, 2\]"),
        ({"energy": {"use": "mlp", "widths": [8, 8]}}, r"it lacks layers\.1\.weight \[8, 8\], layers\.1\.bias \[8\]"),
        ({"energy": {"use": "mlp", "widths": [8], "activation": "softplus"}}, r"= 'softplus' here, 'silu' there"),
        ({"wrapper": [{"use": "shifted"}]}, r"wrapper shifted here, none there.*it lacks shift \[1\]"),
        ({"run": {"init_fresh": ["shifted"]}}, r"init_fresh names 'shifted', which is no wrapper of this run.*none"),
        ({"wrapper": [{"use": "shifted"}], "run": {"init_fresh": ["shiftd"]}}, r"Did you mean 'shifted'"),
    ],
)  # fmt: skip
def test_another_architecture_is_refused_and_what_differs_is_named(tables: Any, said: str, warm: Path) -> None:
    with pytest.raises(RecipeError, match=said):
        begun(asked(warm, **tables))


def test_a_run_that_is_older_than_a_setting_has_its_default(warm: Path) -> None:
    recipe = warm / "recipe.toml"
    told = recipe.read_text(encoding="utf-8")
    older = re.sub(r'^activation = "silu".*\n', "", told, flags=re.MULTILINE)
    assert older != told, "it is the default"
    recipe.write_text(older, encoding="utf-8")
    begun(asked(warm))
    with pytest.raises(RecipeError, match="'softplus' here, 'silu' there"):
        begun(asked(warm, energy={"use": "mlp", "widths": [8], "activation": "softplus"}))


def test_a_default_of_several_values_is_that_of_the_recipe(warm: Path, tmp_path: Path) -> None:
    ours = complete(asked(warm, energy={"use": "mlp"})).recipe
    mlp = ours.part("energy")
    theirs = Part(mlp.use, {key: value for key, value in mlp.settings.items() if key != "widths"})
    assert mlp.settings["widths"] == [128, 128]
    assert list(_differing_settings("energy", mlp, theirs)) == []


def test_settings_of_training_alone_are_not_compared() -> None:
    ours, theirs = Part("level", {"stratified": True, "smooth": 0.1}), Part("level", {"smooth": 0.2})
    assert list(_differing_settings("coordinate", ours, theirs)) == ["coordinate.level.smooth = 0.1 here, 0.2 there"]


def test_nothing_is_written_where_the_init_is_refused(warm: Path, tmp_path: Path) -> None:
    for init, error in ((warm, RecipeError), (tmp_path / "nowhere", CheckpointError)):
        with pytest.raises(error):
            ebmkit.run({**ASKED, "energy": {"use": "mlp", "widths": [9]}}, tmp_path / "run", init=init)
        assert not (tmp_path / "run").exists()


def test_the_last_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    ebmkit.run({**ASKED, "checkpoint": {"every": 2}}, tmp_path / "other")
    (tmp_path / "other" / "checkpoints" / "step-00000004" / "ema.energy.safetensors").write_bytes(b"")
    _, told = begun(asked(tmp_path / "other"))
    assert "is damaged" in told[0] and "averages of step 2 are the start" in told[1]


def test_an_objective_that_the_other_run_lacks_begins_afresh(warm: Path) -> None:
    both = [{"use": "noise-contrastive"}, {"use": "sliced-score-matching"}]
    alone, _ = begun(asked(warm, objective=both))
    assert alone.state.step == 0
    other = asked(warm, objective=[{"use": "sliced-score-matching"}])
    trainer, told = begun(other)
    assert "energy" in trainer.state.owners and "noise-contrastive" not in trainer.state.owners and len(told) == 1


def test_another_temperature_is_told(warm: Path) -> None:
    _, told = begun(asked(warm, run={"temperature": 2.0}))
    assert "trained at temperature 1, and this run has 2: the same energy is another law" in told[0]


def test_a_network_that_a_program_hands_over_takes_the_weights(tmp_path: Path) -> None:
    def net() -> nn.Module:
        return nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1))

    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    how = {"objective": "sliced-score-matching", "steps": 2, "batch_size": 16, "progress": False, "device": "cpu"}
    model = ebmkit.fit(net(), x, out=tmp_path / "run", **how)
    again = ebmkit.fit(net(), x, init=tmp_path / "run", lr=1e-30, settings={"run.ema_half_life": 1e9}, **how)
    assert torch.allclose(again.energy(x[:4]), model.energy(x[:4]), atol=1e-5)
    small = nn.Sequential(nn.Linear(2, 4), nn.SiLU(), nn.Linear(4, 1))
    with pytest.raises(RecipeError, match=r"of another shape .*\[4, 2\] here, \[8, 2\] there"):
        ebmkit.fit(small, x, init=tmp_path / "run", **how)
