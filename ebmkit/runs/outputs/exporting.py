"""Energies into files and out of them."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ebmkit.assembly.context import context_of
from ebmkit.assembly.parts import build_coordinates, build_energy
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, CheckpointError, RecipeError, RunError
from ebmkit.ops.programs import check_can_be_read_again, read_program
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import from_toml, kind_of
from ebmkit.runs.checkpoints.taking import take
from ebmkit.runs.files.whole import written_whole
from ebmkit.runs.outputs.portable import (
    METADATA,
    About,
    EnergyOfData,
    ExportedEnergy,
    about,
    energy_of_data,
    read_about,
)
from ebmkit.sampling.model import Model

SUFFIXES = (".pt2", ".safetensors")
NEEDED = ("coordinate", "energy", "wrapper")
"""Tables of a recipe of which an energy is built."""

GIVEN = "given@"
"""Before the name of what an energy was given, among its weights."""

BATCHES = (1, 2, 7)
"""Sizes of the batches on which a file is compared with the model that it was written from."""

TOLERANCE = 1e-4
"""Difference that rounding may make, relative to the largest energy, or 1 nat."""


def export_energy(model: Model, path: str | Path, given: Mapping[str, str] | None = None) -> Path:
    """Writes the energy of a model to a file: E(x) [B], nats, of x [B, *event] in the value range of the data.

    `.pt2` is a program of torch.export with any number of rows, its weights folded and constant: it is run by
    `torch.export.load(path).module()` without ebmkit, on the device of the model. `.safetensors` holds the weights with
    the recipe as metadata; loading it takes ebmkit and the plugins of its parts, and gives what can be trained on.

    Args:
        model: with the weights to write: `ebmkit.load(run).model`.
        path: the file.
        given: coordinate → value that the energy holds, as {"label": "3"} or a latent.

    Raises:
        RecipeError: another kind of file, or what is given makes no sense.
        CapabilityError: the energy does something that torch.export cannot follow, or `.pt2` before torch 2.9.
        RunError: the file cannot be written, or gives other energies than the model.
    """
    path, given = Path(path), given or {}
    if path.suffix not in SUFFIXES:
        raise RecipeError(f"{path}: the file must end in {' or '.join(SUFFIXES)}, found '{path.suffix}'.")
    energy = energy_of_data(model, given)
    if path.suffix == ".pt2":
        check_can_be_read_again(path.suffix)
    metadata = json.dumps(about(model, given))
    try:
        with written_whole(path) as fresh:
            if path.suffix == ".pt2":
                torch.export.save(program_of(energy, model), fresh, extra_files={METADATA: metadata})
            else:
                _save_weights(model, energy, fresh, metadata)
            _check(load_energy(fresh, device=model.device), energy, model)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} could not be written: {error}. Free some space, or choose another file.") from error
    return path


def load_energy(path: str | Path, *, device: str | torch.device = "cpu") -> ExportedEnergy | EnergyOfData:
    """Returns the energy in a file that `ebmkit export` wrote: a module from x [B, *event] to [B] nats.

    `.about` holds its temperature T, event shape, value range and what to cite. Its x is that of data; p ∝ exp(−E/T).

    Args:
        path: `.pt2` or `.safetensors`.
        device: where the energy is to be; a `.pt2` stays on the device that it was exported from.

    Raises:
        CheckpointError: the file is missing, damaged or not ours.
        RecipeError: `.safetensors` of an energy whose plugin is not installed; the message names the package.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise RecipeError(f"{path}: the file must end in {' or '.join(SUFFIXES)}, found '{path.suffix}'.")
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}. `ebmkit export RUN --out {path}` writes one.")
    return _program(path) if path.suffix == ".pt2" else _from_weights(path, torch.device(device))


def program_of(energy: EnergyOfData, model: Model) -> torch.export.ExportedProgram:
    """Returns the energy as a program for any number of rows; raises CapabilityError where it cannot be one."""
    x = torch.zeros(2, *model.data.event_shape, device=model.device)
    low, high = model.data.value_range or (-1.0, 1.0)
    x = x + (low + high) / 2
    try:
        with _quiet():
            return torch.export.export(energy, (x,), dynamic_shapes=({0: torch.export.Dim("rows", min=1)},))
    except Exception as error:  # torch.export raises whatever the code of the energy led it to
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise CapabilityError(
            f"torch.export cannot follow the energy of {model.name}: {first} Export it as .safetensors instead."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Within it, torch.export says nothing of its own future and logs nothing but errors."""
    log = logging.getLogger("torch.export")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        log.setLevel(before)


def _save_weights(model: Model, energy: EnergyOfData, path: Path, metadata: str) -> None:
    built = [part.use for table in NEEDED for part in model.recipe.parts.get(table, ()) if "given" in part.settings]
    if built:
        raise CapabilityError(
            f"The energy holds {', '.join(built)}, which a program handed over: a recipe cannot build it again. "
            "Export it as .pt2 instead."
        )
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.energy.state_dict().items()}
    given = {GIVEN + name: energy.get_buffer(f"given_{name}").cpu() for name in energy.names}
    save_file({**tensors, **given}, path, metadata={"ebmkit": metadata})


def _check(found: nn.Module, wanted: nn.Module, model: Model) -> None:
    """Raises RunError where a file gives other energies than the model, or other gradients."""
    rng = torch.Generator().manual_seed(0)
    low, high = model.data.value_range or (-2.0, 2.0)
    for n in BATCHES:
        x = (low + (high - low) * torch.rand(n, *model.data.event_shape, generator=rng)).to(model.device)
        for what, one, other in zip(("energies", "gradients"), _asked(found, x), _asked(wanted, x), strict=True):
            size = max(1.0, float(other.abs().max())) if what == "energies" else float(other.abs().max())
            error = float((one - other).abs().max())
            if not error <= TOLERANCE * size:
                raise RunError(f"The file gives other {what} than the model: by {error:.2g} of {size:.2g}, {n} rows.")


def _asked(energy: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        x = x.clone().requires_grad_(True)
        value = energy(x)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return value.detach(), gradient


def _program(path: Path) -> ExportedEnergy:
    try:
        with _quiet():
            program, texts = read_program(path, METADATA)
            module = program.module()
    except Exception as error:  # whatever a damaged archive leads to
        raise CheckpointError(f"{path} is no exported energy, or is damaged: {str(error).splitlines()[0]}") from error
    return ExportedEnergy(module, read_about(texts.get(METADATA, ""), path))


def _from_weights(path: Path, device: torch.device) -> EnergyOfData:
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("ebmkit", "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}.") from error
    known = read_about(text, path)
    _check_installed(path, known)
    recipe = from_toml(known.raw["recipe"], str(path)).with_table("run", device=str(device))
    context = build_coordinates(recipe, context_of(recipe, DataSpec.from_json(known.raw["data"]), device))
    energy = build_energy(recipe, context)
    given = {name: tensors.pop(GIVEN + name).to(device) for name in known.given}
    take(energy, tensors, "energy")
    found = EnergyOfData(energy, context.coordinates, given).eval()
    found.about = known
    return found


def _check_installed(path: Path, known: About) -> None:
    """Raises RecipeError where the energy has a part that no plugin gives here, with the package that it came from."""
    recipe = from_toml(known.raw["recipe"], str(path))
    missing = [
        f"{kind_of(table)} {part.use}"
        for table in NEEDED
        for part in recipe.parts.get(table, ())
        if part.use not in host().names(kind_of(table))
    ]
    if missing:
        packages = dict.fromkeys(known.raw["parts"].get(part, "the plugin that it came from") for part in missing)
        raise RecipeError(
            f"{path} was made with {', '.join(missing)}, which no installed plugin gives. Install "
            f"{' and '.join(packages)}, or export the run as .pt2, which needs no plugin.{host().not_loaded()}"
        )
