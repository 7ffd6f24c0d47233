"""The recipes of the four rings are what they say, and the example that judges them does."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.complete import as_recipe
from ebmkit.plugins.host import host
from ebmkit.recipes.resolver.resolve import resolve

EXAMPLE = Path(__file__).parents[3] / "examples" / "rings.py"
FEW = ("run.steps=4", "run.batch_size=20", "buffer.capacity=70", "checkpoint.every=2", "log.tensorboard=false")


@pytest.fixture(scope="module")
def rings() -> Iterator[Any]:
    """The example as a module, found by its name while the tests run: it builds a part of its own."""
    spec = importlib.util.spec_from_file_location("example_rings", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_rings"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["example_rings"]


def resolved(name: str) -> Any:
    return resolve(as_recipe(name), host(), (2,)).recipe


@pytest.mark.parametrize(("name", "sd"), [("da-rings", 0.1), ("da-rings-paper", 0.01)])
def test_four_rings_of_radius_one_to_four(name: str, sd: float) -> None:
    part = resolved(name).part("data")
    assert part.settings == {"density": "rings", "n": 50_000, "radius": 4.0, "n_rings": 4, "sd": sd}


def test_the_paper_recipe_has_the_published_settings() -> None:
    recipe = resolved("da-rings-paper")
    run, energy, optim = recipe.table("run"), recipe.part("energy"), recipe.owner("energy")
    level, mgms = recipe.part("coordinate").settings, recipe.part("sampler").settings
    assert (run.steps, run.batch_size, run.temperature, run.ema_half_life) == (100_000, 100, 1.0, 0.0)
    assert energy.settings["widths"] == [128, 128, 128] and energy.settings["activation"] == "softplus"
    assert energy.settings["frequencies"] == 0
    assert (level["noise_levels"], level["low"], level["high"]) == (6, 0.01, 0.3)
    assert (mgms["moves"], mgms["adapt_every"], mgms["accept"]) == (40, 100, [0.6, 0.8])
    assert mgms["warmup"] == 50_000 // run.batch_size, "one epoch without rejection"
    assert (optim.use, optim.lr, optim.betas, optim.schedule) == ("adam", 5e-4, (0.0, 0.999), "drops")
    assert optim.drops == (140 / 200, 160 / 200, 180 / 200)
    assert recipe.part("buffer").settings["capacity"] == 10_000 and recipe.part("buffer").settings["reinit"] == 0
    assert [part.use for part in recipe.parts["objective"]] == ["cd"], "nothing else in the loss"


@pytest.mark.parametrize("name", ["da-rings", "da-rings-paper"])
def test_the_control_differs_in_the_levels_alone(name: str, rings: Any) -> None:
    if rings.ON_GAUSSIAN.name not in host().names("wrapper"):
        ebmkit.register(rings.ON_GAUSSIAN)
    assisted = resolved(name)
    control = resolve(rings.plain(assisted), host(), (2,)).recipe
    mgms, mala = assisted.part("sampler").settings, control.part("sampler").settings
    for setting in ("moves", "step_size", "adapt", "adapt_every", "accept", "warmup"):
        assert mala[setting] == mgms[setting]
    ignored = {"conditioning"}
    bare = {k: v for k, v in assisted.part("energy").settings.items() if k not in ignored}
    assert {k: v for k, v in control.part("energy").settings.items() if k not in ignored} == bare
    assert control.owner("energy") == assisted.owner("energy")
    assert control.table("run") == assisted.table("run")
    assert "coordinate" not in control.parts


def test_the_example_judges_every_checkpoint_of_both_and_loads_what_is_there(
    tmp_path: Path, rings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [text for setting in (*FEW, "sampler.moves=2", "energy.widths=[8,8]") for text in ("--set", setting)]
    arguments = ["--out", str(tmp_path), "--cells", "300", "--long-run", "80", *overrides]
    found = rings.main(arguments)
    for kl in found["divergence"].values():
        assert list(kl) == [2, 4] and all(d is not None and 0 < d.value < 10 for d in kl.values())
    assert len(found["levels"]) == 7 and math.isclose(float(found["levels"].sum()), 7.0, rel_tol=1e-5)
    assert int(found["long run"].moves[-1]) == 80
    assert (tmp_path / "density.png").stat().st_size > 10_000
    capsys.readouterr()
    again = rings.main(["--out", str(tmp_path), "--cells", "300", "--long-run", "0"])
    assert again["divergence"] == found["divergence"]
    assert "step 2 of 4" not in capsys.readouterr().out, "nothing is trained twice"


def test_rings_are_counted_by_the_nearest(rings: Any) -> None:
    x = torch.tensor([[1.2, 0.0], [0.0, -2.0], [3.4, 0.0], [9.0, 0.0]])

    class Run:
        recipe = resolved("da-rings")

    assert rings.ring_shares(x, Run()).tolist() == [0.25, 0.25, 0.25, 0.25]
