"""An energy in a file is that of the model: values, gradients, any number of rows, with or without ebmkit."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.torch_version import TorchVersion

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError, RunError
from ebmkit.recipes.recipe import Recipe, from_mapping
from ebmkit.runs.outputs.exporting import SUFFIXES, _check, export_energy, load_energy
from ebmkit.runs.outputs.portable import EnergyOfData, ExportedEnergy
from ebmkit.sampling.model import Model, model_of, opened

ROOT = Path(__file__).parents[3]
PROGRAMS = pytest.mark.skipif(torch.__version__ < (2, 9), reason="a .pt2 needs torch 2.9")
FILES = [pytest.param(".pt2", marks=PROGRAMS), ".safetensors"]
LABELS: dict[str, Any] = {
    "run": {"steps": 1, "batch_size": 8, "temperature": 0.5},
    "data": {"use": "fashion-mini", "limit": 20},
    "energy": {"use": "resnet", "widths": [4, 8], "labels": True},
    "coordinate": [{"use": "label"}],
    "sampler": [{"use": "sgld", "moves": 2}],
}
PLANE: dict[str, Any] = {"run": {"steps": 1}, "data": {"use": "toy"}, "energy": {"use": "mlp", "widths": [8]}}


def model_made(recipe: Recipe) -> Model:
    made = complete(recipe)
    assembly = assemble(made.recipe, data=DataSpec.of(made.dataset), with_data=False)
    return opened(model_of(assembly, step=3))


def recipes() -> dict[str, Recipe]:
    """Every shipped recipe, narrower, with colour images made of grey ones where its data are not here."""
    loaded: list[Any] = []
    for name in ("alarms_parts", "alarms_runs"):
        spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        loaded.append(importlib.util.module_from_spec(spec))
        sys.modules[name] = loaded[-1]
        spec.loader.exec_module(loaded[-1])
    return {found[1]: planned.command for planned in loaded[1].HEALTHY
            if (found := re.search(r"--recipe (\S+)", planned.command))}  # fmt: skip


def asked_of(command: str) -> Recipe:
    import shlex

    from ebmkit.cli.asked import Asked, asked_recipe
    from ebmkit.plugins.host import host

    for component in sys.modules["alarms_parts"].COMPONENTS:
        host().register(component)
    words = shlex.split(command)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    named = {flag.removeprefix("--"): value for flag, value in pairs if flag != "--set"}
    settings = tuple(value for flag, value in pairs if flag == "--set")
    return asked_recipe(Asked(settings=(*settings, "run.engine=eager"), steps=1, **named), host())


@pytest.mark.parametrize("suffix", FILES)
def test_a_file_holds_the_energy_of_the_model_at_data(suffix: str, tmp_path: Path) -> None:
    model = model_made(from_mapping(LABELS))
    path = export_energy(model, tmp_path / f"energy{suffix}", {"label": "Bag"})
    energy = load_energy(path)
    assert energy.about is not None and energy.about.event_shape == (1, 28, 28) and energy.about.step == 3
    assert energy.about.temperature == 0.5 and energy.about.value_range == (0.0, 1.0)
    assert energy.about.given == {"label": "Bag"}
    for n in (1, 3, 8):
        x = torch.rand(n, 1, 28, 28)
        bag = torch.full((n,), 8)
        wanted = model.energy(ebmkit.Point(x=x, aux={"label": bag}))
        torch.testing.assert_close(energy(x), wanted, rtol=1e-5, atol=1e-5)
        other = model.energy(ebmkit.Point(x=x, aux={"label": bag - 1}))
        assert not torch.allclose(energy(x), other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", FILES)
def test_any_sampler_moves_chains_by_it(suffix: str, tmp_path: Path) -> None:
    model = model_made(from_mapping(PLANE))
    energy = load_energy(export_energy(model, tmp_path / f"energy{suffix}"))
    how: dict[str, Any] = {"transitions": 3, "burn_in": 2, "progress": False}
    draws, wanted = (ebmkit.sample(e, "mala", torch.zeros(5, 2), **how) for e in (energy, model.energy))
    torch.testing.assert_close(draws.x, wanted.x, rtol=1e-4, atol=1e-4)


@PROGRAMS
def test_a_program_needs_torch_alone(tmp_path: Path) -> None:
    model = model_made(from_mapping(PLANE))
    export_energy(model, tmp_path / "energy.pt2")
    code = (
        "import sys, torch\n"
        "extra = {'ebmkit.json': ''}\n"
        f"energy = torch.export.load({str(tmp_path / 'energy.pt2')!r}, extra_files=extra).module()\n"
        "x = torch.ones(4, 2, requires_grad=True)\n"
        "energy(x).sum().backward()\n"
        "assert not any(name.startswith('ebmkit') for name in sys.modules), 'ebmkit was imported'\n"
        "print(energy(x)[0].item(), x.grad[0, 0].item(), len(extra['ebmkit.json']) > 100)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    value, slope, told = run.stdout.split()
    x = torch.ones(1, 2, requires_grad=True)
    wanted = model.energy(x)
    wanted.backward()
    assert float(value) == pytest.approx(wanted.item(), rel=1e-4) and told == "True"
    assert x.grad is not None and float(slope) == pytest.approx(float(x.grad[0, 0]), rel=1e-4)


@PROGRAMS
@pytest.mark.parametrize("name", ["clel-da-fashion-cpu", "da-fashion", "improved-cd-mnist"])
def test_shipped_recipes_can_be_programs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each network; the others were tried by hand, `docs/export_recipes.py`."""
    monkeypatch.setattr("ebmkit.plugins.host._host", None)  # it is to know parts that no other test is to meet
    model = model_made(asked_of(recipes()[name]))
    energy = load_energy(export_energy(model, tmp_path / "energy.pt2"))
    x = torch.rand(2, *model.data.event_shape)
    torch.testing.assert_close(energy(x), model.energy(x), rtol=1e-4, atol=1e-4)


class Fixed(nn.Module):
    """An energy whose code counts rows in Python."""

    def forward(self, point: ebmkit.Point) -> Tensor:
        return torch.stack([point.x[i].square().sum() for i in range(len(point))])


@PROGRAMS
def test_what_cannot_be_followed_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    model = model_made(from_mapping(PLANE))
    object.__setattr__(model, "energy", Fixed())
    with pytest.raises(CapabilityError, match=r"cannot follow the energy .*Export it as \.safetensors"):
        export_energy(model, tmp_path / "energy.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["2.8.0+cu128", "2.8.1"])
def test_a_torch_that_pickles_weights_writes_no_program(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_made(from_mapping(PLANE))
    monkeypatch.setattr(torch, "__version__", TorchVersion(version))
    with pytest.raises(CapabilityError, match=r"\.pt2 needs torch 2\.9 or newer, found 2\.8.*Take \.safetensors"):
        export_energy(model, tmp_path / "energy.pt2")
    assert list(tmp_path.iterdir()) == []
    assert export_energy(model, tmp_path / "energy.safetensors").is_file()


def test_a_file_with_another_energy_is_noticed() -> None:
    model = model_made(from_mapping(PLANE))
    right = EnergyOfData(nn.Sequential())
    right.inner = model.energy  # type: ignore[assignment]

    class Wrong(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return right(x) + 1e-3 * x[:, 0]

    _check(right, right, model)
    with pytest.raises(RunError, match=r"gives other (energies|gradients) than the model"):
        _check(Wrong(), right, model)


def test_an_energy_of_labels_wants_one(tmp_path: Path) -> None:
    model = model_made(from_mapping(LABELS))
    with pytest.raises(RecipeError, match="add --given label=VALUE"):
        export_energy(model, tmp_path / "energy.pt2")
    with pytest.raises(RecipeError, match="Classes: "):
        export_energy(model, tmp_path / "energy.pt2", {"label": "hat"})
    with pytest.raises(RecipeError, match=r"must end in \.pt2 or \.safetensors"):
        export_energy(model, tmp_path / "energy.onnx", {"label": "Bag"})


def test_damaged_and_foreign_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no file"):
        load_energy(tmp_path / "gone.pt2")
    for suffix in SUFFIXES:
        (tmp_path / f"bad{suffix}").write_bytes(b"nonsense")
        with pytest.raises(CheckpointError, match=f"bad{suffix}"):
            load_energy(tmp_path / f"bad{suffix}")
    save_file({"w": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="no energy that `ebmkit export` wrote"):
        load_energy(tmp_path / "foreign.safetensors")


class Pickled:
    """A pickle of it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@PROGRAMS
def test_nothing_is_unpickled_from_a_program(tmp_path: Path) -> None:
    path, evil = export_energy(model_made(from_mapping(PLANE)), tmp_path / "energy.pt2"), io.BytesIO()
    torch.save(Pickled(tmp_path / "ran"), evil)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "evil.pt2", "w") as archive:
        for name, content in records.items():
            archive.writestr(name, evil.getvalue() if "data/sample_inputs/" in name else content)
    with pytest.raises(CheckpointError, match="holds more than tensors"):
        load_energy(tmp_path / "evil.pt2")
    assert not (tmp_path / "ran").exists()


def test_weights_whose_plugin_is_missing_name_the_package(tmp_path: Path) -> None:
    path = export_energy(model_made(from_mapping(PLANE)), tmp_path / "energy.safetensors")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        raw = json.loads(file.metadata()["ebmkit"])
    raw["recipe"] = raw["recipe"].replace('use = "mlp"', 'use = "kan"')
    raw["parts"] = {"energy kan": "ebmkit-kan 2.1"}
    save_file(tensors, path, metadata={"ebmkit": json.dumps(raw)})
    with pytest.raises(RecipeError, match=r"energy kan, which no installed plugin gives\. Install ebmkit-kan 2\.1, or"):
        load_energy(path)


@PROGRAMS
def test_what_is_loaded_is_of_its_kind(tmp_path: Path) -> None:
    model = model_made(from_mapping(PLANE))
    program = load_energy(export_energy(model, tmp_path / "energy.pt2"))
    weights = load_energy(export_energy(model, tmp_path / "energy.safetensors"))
    assert isinstance(program, ExportedEnergy) and isinstance(weights, EnergyOfData)
    assert any(parameter.requires_grad for parameter in weights.parameters())
