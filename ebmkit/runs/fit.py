"""`ebmkit.fit`: a network, data and a few words; `ebmkit.parts`: the same for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import Complete, complete
from ebmkit.assembly.device import choose_device
from ebmkit.assembly.given import Asked, asked_parts, given_part
from ebmkit.data.given import given_data
from ebmkit.data.range import Range
from ebmkit.display.notebook import in_notebook
from ebmkit.display.output import remark, say
from ebmkit.display.watching import watching
from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Part, Recipe
from ebmkit.runs.files.directory import for_new_run, is_run, remove_run
from ebmkit.runs.given import names_given, to_resume
from ebmkit.runs.processes import refuse_copies
from ebmkit.runs.run import begun
from ebmkit.runs.session import session
from ebmkit.sampling.model import Model, model_of, opened
from ebmkit.training.parts import Parts


def fit(
    net: Asked,
    x: Any,
    *,
    sampler: Asked | None = None,
    objective: Asked | None = None,
    buffer: Asked | None = None,
    coordinate: Asked | None = None,
    wrapper: Asked | None = None,
    observer: Asked | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    temperature: float | None = None,
    value_range: Range = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    init: str | Path | None = None,
    settings: Mapping[str, object] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Model:
    """Trains a network as an energy on data, and returns the model.

    A part is named ("mala", "clel+improved-cd"), or given by its settings (`ebmkit.samplers.Mala(moves=5)`), or built.
    Parts that are left out are added, and said, as on the command line. The network itself is trained: afterwards it
    holds the averaged weights, in evaluation mode.

    Args:
        net: any `nn.Module` from x [B, *event] to energies [B] or [B, 1], nats; or an energy by name or settings.
        x: a tensor [N, *event], a pair (x, labels [N]), a torch `Dataset` or `DataLoader`, or a data set by name
            ("toy:rings"), settings, or as `ebmkit.build` makes it.
        sampler: of the chains.
        objective: what is minimised.
        buffer: of the chains.
        coordinate: beside x.
        wrapper: of the energy.
        observer: who is told of the run, by name, settings or built.
        steps: training steps.
        batch_size: data, and chains, in a step; unset, that of the `DataLoader`, else as the recipe has it.
        lr: learning rate of the energy.
        temperature: T of p ∝ exp(−E/T); unset, it follows from the parts.
        value_range: (lowest, highest) value of x, beyond which there are no data: chains stay within. Unset, (0, 1)
            where all of x lies in it.
        device: any torch device; unset, that of the network where it is not on the CPU, else cuda where there is one.
        seed: of everything random in the run.
        init: directory of another run, or "pretrained:NAME", whose weights and averages are the start.
        settings: any other, by the dotted name that `--set` takes: {"sampler.moves": 40, "optim.energy.clip": 1.0}.
        out: a directory for a full run, with recipe, metrics, checkpoints and pictures; unset, nothing is written.
        overwrite: replace the run that `out` holds; else a number is added to its name.
        progress: show how far it is, and what was added.

    Raises:
        RecipeError, CapabilityError, DataError: the request is wrong.
        DivergenceError: something is not finite any more, or an alarm stopped the run; the network keeps the weights
            of the step before.
        RunError: the run was interrupted, or the disk is full.

    >>> import torch, ebmkit
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
    >>> model = ebmkit.fit(net, torch.randn(500, 2), sampler="mala", objective="cd", steps=3, progress=False)
    >>> model.energy(torch.zeros(4, 2)).shape, model.score(torch.zeros(4, 2)).shape, model.sample(5).x.shape
    (torch.Size([4]), torch.Size([4, 2]), torch.Size([5, 2]))
    """
    refuse_copies()
    tell = _tell(progress)
    made = _complete(
        net, x, value_range, {"sampler": sampler, "objective": objective, "buffer": buffer, "coordinate": coordinate,
                              "wrapper": wrapper, "observer": observer},
        {"steps": steps, "batch_size": batch_size, "temperature": temperature, "device": device, "seed": seed,
         "init": None if init is None else str(init)},
        {} if lr is None else {"energy": {"lr": lr}}, settings,
    )  # fmt: skip
    for note in made.notes:
        tell(note)
    directory = None if out is None else for_new_run(Path(out), overwrite=overwrite, tell=tell)
    told = tell if progress else None
    with session(directory, told) as lock:
        if directory is not None and is_run(directory):  # another one was named, unless it may be replaced
            remove_run(directory)
        with watching("" if directory is None else f"Run: {directory}", shown=progress, few=True) as watch:
            trainer = begun(made, directory, watch=watch, note=told, lock=lock)
            trainer.train()
    if directory is not None:
        _say_what_resumes(made.recipe, directory, tell)
    state = trainer.finished()
    return opened(
        model_of(
            trainer.assembly,
            step=state.step,
            tuning=state.tuning,
            name="the model" if directory is None else str(directory),
            history=tuple(trainer.history),
        )
    )


def parts(
    net: Asked,
    x: Any,
    *,
    sampler: Asked | None = None,
    objective: Asked | None = None,
    buffer: Asked | None = None,
    coordinate: Asked | None = None,
    wrapper: Asked | None = None,
    batch_size: int | None = None,
    temperature: float | None = None,
    value_range: Range = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    settings: Mapping[str, object] | None = None,
    progress: bool = True,
) -> Parts:
    """Returns what a training loop of one's own needs beside an optimiser and data; see `ebmkit.train_step`.

    Args:
        net: as in `ebmkit.fit`; it is trained itself.
        x: some of the data, for shape, value range and classes: a batch will do.
        sampler: as there, like the others.
        objective: what is minimised.
        buffer: of the chains.
        coordinate: beside x.
        wrapper: of the energy.
        batch_size: of the loop; unset, that of the recipe.
        temperature: T of p ∝ exp(−E/T).
        value_range: of x.
        device: any torch device.
        seed: of everything random.
        settings: any other.
        progress: say what was added.

    Raises:
        RecipeError, CapabilityError, DataError: the request is wrong.
    """
    made = _complete(
        net, x, value_range, {"sampler": sampler, "objective": objective, "buffer": buffer, "coordinate": coordinate,
                              "wrapper": wrapper},
        {"batch_size": batch_size, "temperature": temperature, "device": device, "seed": seed, "engine": "eager"},
        {}, settings,
    )  # fmt: skip
    tell = _tell(progress)
    for note in made.notes:
        tell(note)
    init = made.recipe.table("run").init
    if init is not None:
        raise RecipeError(
            f"run.init = {init}: a loop of one's own keeps no averages to take. Load the weights by yourself: "
            "parts.energy.load_state_dict(ebmkit.load(RUN, averaged=False).energy.state_dict())."
        )
    return assemble(made.recipe, dataset=made.dataset).parts


def _complete(
    net: Asked,
    x: Any,
    value_range: Range,
    named: Mapping[str, Asked | None],
    run: Mapping[str, object],
    optim: Mapping[str, Mapping[str, object]],
    settings: Mapping[str, object] | None,
) -> Complete:
    """Returns the complete recipe of a request, with its data."""
    found = {"energy": asked_parts("energy", net, host())}
    found |= {table: asked_parts(table, asked, host()) for table, asked in named.items() if asked is not None}
    chosen = {"device": _device_of(net), **{name: value for name, value in run.items() if value is not None}}
    device = str(chosen["device"])
    chosen["device"] = device
    data, size = _data(x, choose_device(device), value_range)
    if size is not None:
        chosen = {"batch_size": size, **chosen}
    recipe = Recipe(parts={**found, "data": (data,)}, tables={"run": chosen}, optim=optim)
    return complete(recipe.with_overrides((settings or {}).items()))


def _data(x: Any, device: torch.device, value_range: Range) -> tuple[Part, int | None]:
    """Returns the data as a part of a recipe, and the size of its batches where it has one."""
    named = asked_parts("data", x, host()) if isinstance(x, (str, type)) else _configured(x)
    if named:
        return named[0], None
    dataset = given_data(x, device=device, value_range=value_range)
    return given_part("data", dataset, host()), getattr(dataset, "batch_size", None)


def _configured(x: Any) -> tuple[Part, ...]:
    """Returns the part whose settings x holds, () where it holds data."""
    is_config = any(component.config is type(x) for component, _ in host().all() if component.kind == "dataset")
    return asked_parts("data", x, host()) if is_config else ()


def _device_of(net: Asked) -> str:
    first = next(net.parameters(), None) if isinstance(net, nn.Module) else None
    return "auto" if first is None or first.device.type == "cpu" else str(first.device)


def _tell(progress: bool) -> Any:
    if not progress:
        return lambda line: None
    return say if in_notebook() else remark


def _say_what_resumes(recipe: Recipe, directory: Path, tell: Any) -> None:
    given = names_given(recipe)
    if given:
        tell(
            f"{directory} holds this run, but not {' and '.join(given)}: this program made them, and a recipe can only "
            f"name parts. Hand them over again: {to_resume(recipe, directory)}; ebmkit.load likewise, without the data."
        )
    else:
        tell(f"{directory} holds this run: {to_resume(recipe, directory)} goes on with it.")
