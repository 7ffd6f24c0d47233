"""What a model shows of itself for a report; what it cannot show is left out, and why is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from ebmkit.display.doing import doing
from ebmkit.display.watching import preparing
from ebmkit.errors import EbmkitError
from ebmkit.evaluation.clean_energy import CleanEnergy, in_passes
from ebmkit.evaluation.plane import density_if_any, window_around
from ebmkit.evaluation.plane_pictures import save_plane
from ebmkit.evaluation.report.content import Drawn
from ebmkit.evaluation.report.film import Film, begun, sampled, told
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.recipes.tables import EvalConfig
from ebmkit.rng import stream
from ebmkit.sampling.generate import Generated
from ebmkit.sampling.model import Model

N_DATA = 500
"""Data of each set whose energies are shown."""
PLANE = (2,)

Energies = Callable[[Tensor], Tensor]
"""From x [N, *event], as data hold it, to E(x) [N], nats."""


def ask(model: Model, n: int, transitions: int | None = None, visits: int | None = None, seconds: float = inf) -> Drawn:
    """Returns n fresh chains of a model, the way of a few of them, and energies of data and of what is none.

    Args:
        model: with its averaged weights.
        n: chains.
        transitions: of each; unset, as the recipe says.
        visits: to data, after which chains are taken that leave data; unset, as the recipe says.
        seconds: after which chains that have not ended are given up.
    """
    left_out = list[str]()
    energy: Energies = partial(in_passes, CleanEnergy(model), device=model.device)
    made: Generated | None = None
    film: Film | None = None
    with leaving_out("Fresh chains", left_out):
        film = begun(model, n, seconds)
        made = sampled(model, n, film, transitions, visits)
    sets = {**_data(model, left_out), **({} if made is None else {"fresh chains": made.x})}
    sets |= dict(no_data(model, sets))
    with preparing():
        doing("asking for energies")
        energies = dict(_energies(energy, sets, left_out))
    is_plane = tuple(model.data.event_shape) == PLANE and model.data.x_values == "real"
    frames = film.frames if film is not None and not is_plane else []
    on_the_way, plane = list[Tensor](), None
    with leaving_out("Energies on the way from noise", left_out):
        on_the_way = [energy(x) for _, x in frames]
    with leaving_out("The density in the plane", left_out):
        plane = _plane(model, sets) if is_plane else None
    return Drawn(
        step=model.step,
        n_parameters=sum(p.numel() for p in model.energy.parameters()) if isinstance(model.energy, nn.Module) else 0,
        x=None if made is None else made.x,
        value_range=model.data.value_range,
        how="" if made is None else told(model, made),
        notes=() if made is None else made.notes,
        film=frames,
        film_energies=on_the_way,
        energies=energies,
        plane=plane,
        left_out=left_out,
    )


def _energies(energy: Energies, sets: Mapping[str, Tensor], left_out: list[str]) -> Iterator[tuple[str, Tensor]]:
    for name, x in sets.items():
        with leaving_out(f"Energies of {name}", left_out):
            yield name, energy(x)


@contextmanager
def leaving_out(what: str, left_out: list[str]) -> Iterator[None]:
    """Goes on without something that cannot be had, and keeps why."""
    try:
        yield
    except EbmkitError as error:
        left_out.append(f"{what}: {error}")
    except Exception as error:  # a stranger's part may fail in any way, and the files alone are worth a page
        left_out.append(f"{what}: {type(error).__name__}: {error}")


def no_data(model: Model, sets: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yields simple sets that are no data: uniform noise in the range of the data, and images of one shade.

    Where the data have no range, noise fills the box of the first set.
    """
    event, bounds = tuple(model.data.event_shape), model.data.value_range
    first = next(iter(sets.values()), None)
    if model.data.x_values != "real" or (bounds is None and first is None):
        return
    rng = stream(model.recipe.table("run").seed, 0, "report no data", "cpu")
    if bounds is not None:
        low, high = torch.tensor(bounds[0]), torch.tensor(bounds[1])
    else:
        assert first is not None
        low, high = first.amin(dim=0), first.amax(dim=0)
    yield "uniform noise", low + (high - low) * torch.rand(N_DATA, *event, generator=rng)
    if len(event) == 3:
        shade = torch.rand(N_DATA, event[0], 1, 1, generator=rng)
        yield "constant images", (low + (high - low) * shade).expand(N_DATA, *event).contiguous()


def _data(model: Model, left_out: list[str]) -> dict[str, Tensor]:
    """Returns x of some training and test data."""
    found = dict[str, Tensor]()
    subject = ModelSubject(model=model, config=EvalConfig(n_data=N_DATA))
    with leaving_out("Energies of training data", left_out):
        found["training data"] = subject.data("train").x
    with leaving_out("Energies of test data", left_out):
        found["test data"] = subject.data("test").x
    return found


def _plane(model: Model, sets: Mapping[str, Tensor]) -> bytes | None:
    """Returns a PNG of data, density and fresh chains in the plane."""
    clouds = [(name, sets[name]) for name in ("training data", "fresh chains") if name in sets]
    if not clouds:
        return None
    window = window_around(clouds[0][1].float(), clouds[-1][1].float())
    log_p = density_if_any(model.view().energy, window, model.temperature, model.coordinates, model.device)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plane.png"
        save_plane(path, clouds, log_density=log_p, window=window)
        return path.read_bytes()
