"""Laws of runs whose objective needs no chains: a stranger's score matching, from a file, to samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.complete import as_recipe
from ebmkit.cli.main import main
from ebmkit.errors import CapabilityError, PluginError, RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_toml, read_recipe, to_toml
from ebmkit.recipes.resolver.resolve import resolve
from ebmkit.runs.log.logbook import read_metrics

MATCHING = '''
"""Denoising score matching (Vincent, 2011): mean ½‖s(x + σξ) + ξ/σ‖²."""
import torch
from ebmkit import Component, Requires, score


class DenoisingScoreMatching:
    requires = Requires(negatives=False, derivatives=2)

    def losses(self, energy, phases):
        x = phases.positive.x
        noise = torch.randn(x.shape, generator=phases.rng("noise"))
        found = score(energy, phases.positive.replace(x=x + 0.3 * noise))
        return {"matching": (0.3 * found + noise).square().flatten(1).sum(dim=1).mean() / 2}


COMPONENTS = (
    Component(kind="objective", name="denoising", build=f"{__name__}:build", summary="score matching", negatives=False),
)


def build(config, context):
    return DenoisingScoreMatching()
'''

ASKED: dict[str, Any] = {
    "run": {"steps": 20, "batch_size": 64},
    "data": {"use": "toy", "density": "rings"},
    "energy": {"use": "mlp", "widths": [32, 32], "activation": "silu"},
    "objective": [{"use": "denoising"}],
    "checkpoint": {"every": 10},
    "pictures": {"every": 10, "n": 8},
    "log": {"every": 1, "tensorboard": False},
    "optim": {"energy": {"lr": 1e-2, "schedule": "constant"}},
}


@pytest.fixture(autouse=True)
def own_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.plugins.host._host", None)


def offer(tmp_path: Path, text: str) -> None:
    file = tmp_path / "matching.py"
    file.write_text(text, encoding="utf-8")
    host().add_file(file)


@pytest.fixture
def matching(tmp_path: Path) -> None:
    offer(tmp_path, MATCHING)


def asked(**tables: Any) -> dict[str, Any]:
    return {**ASKED, **tables}


def weights(run: ebmkit.Run) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in run.energy.parameters()]


def test_a_recipe_gets_no_sampler_no_buffer_and_temperature_one(matching: None) -> None:
    for table in ({}, {"data": {"use": "fashion-mini"}, "energy": {"use": "resnet"}}):
        found = resolve(as_recipe(asked(**table)), host())
        assert not {"sampler", "buffer"} & found.recipe.parts.keys()
        assert found.recipe.table("run").temperature == 1.0
        again = from_toml(to_toml(found.recipe))
        assert resolve(again, host()).recipe == found.recipe == again
        assert not any("sampler" in note or "buffer" in note for note in found.notes)


def test_a_run_writes_no_chains_and_draws_no_pictures(matching: None, tmp_path: Path) -> None:
    made = ebmkit.run(asked(), tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "step-00000020"
    assert {path.name for path in newest.iterdir()} == {
        "state.json", "energy.safetensors", "ema.energy.safetensors", "optim.energy.safetensors",
    }  # fmt: skip
    assert not (tmp_path / "run" / "samples").exists()
    assert all(entry.keys() == {"step", "loss.denoising.matching", "gradient_norm.energy"}
               for entry in read_metrics(tmp_path / "run"))  # fmt: skip
    kept = read_recipe(tmp_path / "run" / "recipe.toml")
    assert not {"sampler", "buffer"} & kept.parts.keys() and kept.table("run").engine == "eager"
    with pytest.raises(CapabilityError, match=r"without chains.*--sampler mala"):
        ebmkit.generate(made.model, 4)


def test_a_run_resumes_bit_for_bit(matching: None, tmp_path: Path) -> None:
    whole = ebmkit.run(asked(), tmp_path / "whole")
    ebmkit.run(asked(run={**ASKED["run"], "steps": 10}), tmp_path / "halves")
    halves = ebmkit.resume(tmp_path / "halves", steps=20)
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(halves), strict=True))
    assert ebmkit.load(tmp_path / "halves").step == 20


def test_the_samples_of_a_trained_model_are_drawn_by_the_named_sampler(matching: None, tmp_path: Path) -> None:
    recipe = asked(
        run={"steps": 300, "batch_size": 256, "ema_half_life": 5000.0}, pictures={"every": 150, "n": 16},
        sample={"sampler": "mala", "transitions": 30},
    )  # fmt: skip
    made = ebmkit.run(recipe, tmp_path / "run")
    losses = [entry["loss.denoising.matching"] for entry in read_metrics(tmp_path / "run")]
    assert sum(losses[-50:]) < 0.99 * sum(losses[:50])
    pictures = sorted(path.name for path in (tmp_path / "run" / "samples").iterdir())
    assert pictures == ["step-00000150.png", "step-00000300.png"]
    found = ebmkit.generate(made.model, 400)
    assert found.accept_rate is not None and 0.55 < found.accept_rate < 0.85, "the steps were adapted"
    rng = torch.Generator().manual_seed(0)
    data = ebmkit.build("dataset", "toy", density="rings").batch(torch.arange(400), rng).x
    with torch.no_grad():
        drawn, real, far = (
            float(made.energy(ebmkit.Point(x=x)).mean())
            for x in (found.x, data, 3 * torch.randn(400, 2, generator=rng))
        )
    assert abs(drawn - real) < 0.2 * (far - real), "samples look like data to the model"
    torch.testing.assert_close(found.x.std(dim=0), data.std(dim=0), rtol=0.25, atol=0)
    assert torch.equal(ebmkit.generate(made.model, 4).x, ebmkit.generate(made.model, 4).x)


def test_a_sampler_can_be_named_when_samples_are_drawn(
    matching: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ebmkit.run(asked(run={"steps": 2, "batch_size": 8}), tmp_path / "run")
    words = ["sample", str(tmp_path / "run"), "-n", "4", "--transitions", "2", "--out", str(tmp_path / "x.npz")]
    assert main([*words]) != 0
    assert "--sampler mala" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "--sampler", "mala"]) == 0
    assert main([*words, "--sampler", "malla"]) != 0


@pytest.mark.parametrize("more", [(), ("--coordinate", "label")])
def test_the_sampler_that_a_run_proposes_can_draw(
    more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    data = "toy:eight-gaussians"
    words = ["--data", data, "--objective", "denoising-score-matching", "--steps", "2", "--out", run, *more]
    assert main(["run", *words]) == 0
    assert "--sampler mala\n" in capsys.readouterr().out
    draw = ["sample", run, "-n", "4", "--transitions", "2", "--out", str(tmp_path / "x.npz"), "--sampler", "mala"]
    assert main(draw) == 0


def test_a_sampler_that_is_named_beside_it_draws_samples_at_temperature_one(matching: None, tmp_path: Path) -> None:
    made = ebmkit.run(asked(sampler=[{"use": "sgld", "moves": 3, "step_size": 0.01}]), tmp_path / "run")
    assert made.model.temperature == 1.0 and "buffer" not in made.recipe.parts
    assert len(ebmkit.generate(made.model, 4).x) == 4
    assert (tmp_path / "run" / "samples" / "step-00000020.png").exists()
    assert "tuning" not in json.loads((tmp_path / "run/checkpoints/step-00000020/state.json").read_text())["files"]


def test_a_buffer_without_chains_and_an_unknown_sampler_are_refused(matching: None, tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match=r"buffer replay keeps chains, but no objective.*denoising.*leave"):
        ebmkit.run(asked(buffer={"use": "replay"}), tmp_path / "run")
    with pytest.raises(RecipeError, match="malla"):
        ebmkit.run(asked(sample={"sampler": "malla"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_beside_an_objective_of_chains_everything_is_there(matching: None) -> None:
    both = resolve(as_recipe(
        asked(objective=[{"use": "denoising"}, {"use": "cd"}])), host()).recipe  # fmt: skip
    assert {"sampler", "buffer"} <= both.parts.keys()


@pytest.mark.parametrize("declared", [True, False])
def test_a_declaration_that_disagrees_with_what_it_builds_is_refused(tmp_path: Path, declared: bool) -> None:
    text = MATCHING.replace("Requires(negatives=False", f"Requires(negatives={not declared}")
    offer(tmp_path, text.replace("negatives=False)", f"negatives={declared})"))
    with pytest.raises(PluginError, match=f"negatives = {declared}.*= {not declared}"):
        ebmkit.run(asked(), tmp_path / "run")


def test_an_objective_that_differentiates_too_often_is_refused(tmp_path: Path) -> None:
    offer(tmp_path, MATCHING.replace("derivatives=2", "derivatives=3"))
    images = asked(
        data={"use": "fashion-mini", "limit": 64}, energy={"use": "resnet", "widths": [4], "block": "standardised"}
    )
    with pytest.raises(CapabilityError, match=r"denoising differentiates the energy 3 times.*2 times.*mlp"):
        ebmkit.run(images, tmp_path / "run")
    ebmkit.run(asked(run={"steps": 1, "batch_size": 8}), tmp_path / "plane")
