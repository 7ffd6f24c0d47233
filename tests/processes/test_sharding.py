"""Weights that are split over processes are trained as weights that each process holds whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.assembly.sharded import is_asked, split
from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.point import Batch, Point
from ebmkit.processes import World
from ebmkit.recipes.recipe import Recipe
from ebmkit.rng import stream
from ebmkit.training.ema import Averages
from ebmkit.training.optim import Optimisers
from ebmkit.training.parts import Parts
from ebmkit.training.sharding import Sharding, called, units
from ebmkit.training.split import own_part, whole
from ebmkit.training.step import train_step
from ebmkit.views.view import FrozenView, view
from tests.processes.commands import Job
from tests.processes.two_processes import together

TOY = {"use": "toy", "density": "rings"}
MLP = {"use": "mlp", "widths": [9, 8, 8]}  # 9 rows over two processes: an uneven split
STEPS = 4
LAYERS, DERIVATIVES, PARAMETRISED = "", "an objective differentiates the energy", "weight of"


def recipe(objective: str, sampler: Any = None, data: Any = TOY, energy: Any = MLP, **settings: Any) -> dict[str, Any]:
    run = {"steps": 6, "batch_size": 8, "seed": 3, "engine": "eager", "chunk": 0, "device": "cpu", "precision": "fp32"}
    chains = {"buffer": {"use": "replay", "capacity": 64, "reinit": 0.1}, "sampler": [sampler]} if sampler else {}
    return {
        "run": {**run, "checked_steps": 0}, "data": data, "energy": energy, **chains,
        "objective": [{"use": objective, **settings}], "optim": {"energy": {"clip": 1.0}},
    }  # fmt: skip


CASES = {
    "layer by layer": (recipe("cd", {"use": "mala", "moves": 2}), LAYERS),
    "chains that ask more or less often": (recipe("cd", {"use": "nuts"}), LAYERS),
    "without chains": (recipe("noise-contrastive"), LAYERS),
    "three derivatives": (recipe("sliced-score-matching"), DERIVATIVES),
    "spectral norm": (
        recipe("cd", {"use": "sgld", "moves": 2}, {"use": "fashion-mini"}, {"use": "resnet", "widths": [4, 8]}),
        PARAMETRISED,
    ),
}
if "improved-cd" in host().names("objective"):
    CASES["the tail"] = (recipe("improved-cd", {"use": "sgld", "moves": 3}, rows=2, reference=8), DERIVATIVES)


def trained(world: World, name: str, *, is_split: bool) -> tuple[dict[str, Tensor], dict[str, int], str]:
    """Returns weights and averages after a few steps in float64, how much this process holds, and why not by layers."""
    torch.set_default_dtype(torch.float64)
    made = complete(CASES[name][0])
    assembly = assemble(made.recipe, dataset=made.dataset, world=world)
    parts = in_float64(assembly.parts)
    if is_split:
        assert made.dataset is not None
        parts = split(parts, made.dataset)
    owners = parts.owners()
    optimisers = Optimisers(owners, {n: made.recipe.owner(n) for n in owners}, 6, world, parts.sharding)
    averages, tuning = Averages(owners, made.recipe.table("run")), None
    for step in range(1, STEPS + 1):
        x = torch.rand(8, *assembly.data.event_shape, generator=stream(step, 0, "x"))
        batch = Batch(x=world.share(x), y=world.share(torch.arange(8) % 3))
        report = train_step(parts, batch, step, tuning, lambda losses, at=step: optimisers.update(losses, at))  # type: ignore
        averages.update(step)
        tuning = report.tuning
    found = {
        f"{owner}.{k}": whole(v).detach().clone() for owner, m in owners.items() for k, v in m.state_dict().items()
    }
    found |= {f"ema.{k}": whole(v).clone() for k, v in averages.values["energy"].items()}
    state = [t for kept in optimisers.optimisers["energy"].state.values() for t in kept.values() if t.ndim]
    energy: Any = parts.energy
    weights = [own_part(p) for p in energy.parameters()]
    held = {"weights": weights, "state": [own_part(t) for t in state]}
    held["averages"] = [
        own_part(v) for k, v in averages.values["energy"].items() if k in dict(energy.named_parameters())
    ]
    n_held = {kind: sum(tensor.numel() for tensor in tensors) for kind, tensors in held.items()}
    return found, n_held, "" if parts.sharding is None else parts.sharding.why_whole


def in_float64(parts: Parts) -> Parts:
    for module in parts.owners().values():
        module.double()
    buffer: Any = parts.buffer
    if buffer is not None:
        buffer.rows = buffer.rows.map(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)
    return replace(parts, view=view(parts.energy, "fp32"), checker=None)


def both_ways(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {name: [trained(world, name, is_split=way) for way in (False, True)] for name in CASES}
    return {**found, "crooked": crooked(world)}


@pytest.fixture(scope="module")
def both() -> list[dict[str, Any]]:
    return together(both_ways)


@pytest.mark.parametrize("name", CASES)
def test_split_weights_are_trained_as_whole_ones(name: str, both: Any) -> None:
    for found in both:
        (wanted, _, _), (got, _, why) = found[name]
        assert wanted.keys() == got.keys()
        assert max(float((wanted[k] - got[k]).abs().max()) for k in wanted) < 1e-6
        assert CASES[name][1] in why and bool(CASES[name][1]) == bool(why)


@pytest.mark.parametrize("name", CASES)
def test_each_process_holds_half(name: str, both: Any) -> None:
    (_, of_all, _), _ = both[0][name]
    shares = [found[name][1][1] for found in both]
    for kind, n in of_all.items():
        assert sum(share[kind] for share in shares) == n
        assert all(share[kind] == pytest.approx(n / 2, rel=0.1) for share in shares)


class Crooked(nn.Module):
    """Uses the weights of a layer outside of it, and a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(6))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, point: Point) -> Tensor:
        h = point.x
        for layer in self.layers:
            h = h + torch.tanh(layer(h))
        return (h @ self.layers[0].weight).square().sum(dim=1) * self.scale  # type: ignore[operator]


def crooked(world: World) -> tuple[str, float]:
    torch.manual_seed(0)
    energy = Crooked()
    point = Point(x=torch.ones(3, 2))
    seen = FrozenView(energy)
    before = seen.energy(point).clone()
    wanted = torch.autograd.grad(energy(point).sum(), list(energy.parameters()))
    sharding = Sharding(energy, seen, world, torch.device("cpu"), lambda: energy(point).sum())
    with sharding.step():
        sharding.refresh()
        off = float((seen.energy(point) - before).abs().max())
        energy(point).sum().backward()
        sharding.share_gradients()
    for a, b in zip(wanted, energy.parameters(), strict=True):
        assert b.grad is not None
        off = max(off, float((a - whole(b.grad)).abs().max()))
    return sharding.why_whole, off


def test_an_energy_that_uses_weights_outside_of_their_layer_is_joined_whole(both: Any) -> None:
    for why, off in (found["crooked"] for found in both):
        assert "a trial failed" in why
        assert off < 1e-6


def test_units_are_layers_that_are_called() -> None:
    net = nn.Sequential(nn.Sequential(*(nn.Linear(3, 3) for _ in range(6))), nn.Linear(3, 1))
    asked = called(net, lambda: net(torch.ones(1, 3)))
    assert list(units(net, asked)) == ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "1"]
    assert not units(net, set()), "what is not called has no hooks"
    net[0][1].weight = net[0][0].weight
    assert not units(net, asked), "weights that two layers share belong to the whole"


RECIPE = """
[run]
steps = {steps}
batch_size = 8
engine = "eager"
device = "cpu"
seed = 1
fully_shard = {split}
[log]
every = 1
tensorboard = false
[checkpoint]
every = 2
[pictures]
every = 1000
[data]
use = "toy"
density = "rings"
[energy]
use = "mlp"
widths = [9, 8]
[buffer]
use = "replay"
capacity = 32
[[sampler]]
use = "mala"
moves = 2
"""


def run(folder: Path, *more: object, steps: int = 4, split: bool = True) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE.format(steps=steps, split=str(split).lower()))
    return done(folder, "run", "--recipe", folder / "recipe.toml", "--out", folder / "run", *more)


def done(folder: Path, *command: object, size: int = 2) -> str:
    found = Job(command, folder, size=size).ended()
    assert [each.status for each in found] == [0] * size, found
    return found[0].said


def held(folder: Path, step: int = 4) -> dict[str, Tensor]:
    files = (folder / "run" / "checkpoints" / f"step-{step:08d}").glob("*.safetensors")
    return {f"{path.stem}.{name}": tensor for path in files for name, tensor in load_file(path).items()}


def worst(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[k].double() - other[k].double()).abs().max()) for k in one)


@pytest.fixture(scope="module")
def split_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    assert "joined layer by layer" in run(folder)
    return folder


def test_its_checkpoints_hold_whole_weights(split_run: Path, tmp_path: Path) -> None:
    run(tmp_path, split=False)
    assert worst(held(split_run), held(tmp_path)) < 1e-6
    assert ebmkit.load(split_run / "run").model.sample(2, transitions=2).x.shape == (2, 2)


def test_it_goes_on_exactly_and_on_another_number_of_processes(split_run: Path, tmp_path: Path) -> None:
    shutil.copytree(split_run / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000004")
    done(tmp_path, "resume", tmp_path / "run")
    assert worst(held(tmp_path), held(split_run)) == 0
    assert "was written by 2 processes, and 1 go on" in done(tmp_path, "resume", tmp_path / "run", "--steps", 6, size=1)
    done(tmp_path, "resume", tmp_path / "run", "--steps", 8)


STAGES = """
[[stage]]
name = "warm"
steps = 2
[[stage.objective]]
use = "sliced-score-matching"
[[stage]]
name = "exact"
steps = 2
[[stage.objective]]
use = "cd"
"""


def test_a_stage_takes_the_weights_of_the_one_before_it_in_all_processes(tmp_path: Path) -> None:
    for is_split in (False, True):
        folder = tmp_path / str(is_split)
        folder.mkdir()
        text = RECIPE.format(steps=4, split=str(is_split).lower()).replace("steps = 4\n", "")
        (folder / "recipe.toml").write_text(text + STAGES)
        done(folder, "run", "--recipe", folder / "recipe.toml", "--out", folder / "run")
    assert worst(held(tmp_path / "True"), held(tmp_path / "False")) < 1e-6


def test_what_does_not_go_together_is_refused() -> None:
    world = World(rank=0, size=2)

    def asked(**tables: Any) -> Recipe:
        return complete({**CASES["layer by layer"][0], **tables}).recipe.with_table("run", fully_shard=True)

    assert is_asked(asked(), world)
    assert not is_asked(asked(), World()), "one process has nothing to split"
    with pytest.raises(RecipeError, match=r"eval\.every"):
        is_asked(asked(eval={"every": 5}, metric=[{"use": "density-2d"}]), world)
