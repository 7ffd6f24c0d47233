"""`sample`: fresh chains of a trained run, as a picture, an animation or arrays."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ebmkit.cli.output import remark, say
from ebmkit.cli.training import PluginFiles, load_files
from ebmkit.cli.training import option as _option
from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.assembly.model import Model
    from ebmkit.sampling.compose import Composed
    from ebmkit.sampling.generate import Generated
    from ebmkit.sampling.transitions import Moment

SUFFIXES = (".png", ".npz", ".gif")

HARDLY = 0.1
"""Acceptance below which chains are said hardly to move."""


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    out: Annotated[
        Path, _option("FILE", ".png picture, .npz arrays or .gif of the transitions; overwritten.", "--out")
    ],
    n: Annotated[int, _option("N", "Chains.", "-n", min=1)] = 64,
    sampler: Annotated[str | None, _option("NAME", "Draws them, a+b; unset, that of the recipe.")] = None,
    given: Annotated[list[str] | None, _option("NAME=VALUE", "Hold a coordinate, as in label=3; repeatable.")] = None,
    given_strength: Annotated[float | None, _option("B", "Weight of a given latent, nats.")] = None,
    others: Annotated[list[Path] | None, _option("RUN", "Another run to compose with; repeatable.", "--with")] = None,
    op: Annotated[str | None, _option("OP", "and (the default), or, not: how runs are composed.", "--op")] = None,
    weights: Annotated[
        list[float] | None, _option("W", "Of each --with, in order; unset 1, for or 0, for not 0.001.", "--weight")
    ] = None,
    transitions: Annotated[int | None, _option("N", "Transitions of each chain; unset, the recipe's.", min=1)] = None,
    visits: Annotated[
        int | None, _option("N", "With a noise level: visits to data before a chain is taken.", min=1)
    ] = None,
    plain_transitions: Annotated[
        int | None, _option("N", "Transitions after these, without augmentation.", min=0)
    ] = None,
    seed: Annotated[int | None, _option("N", "Of the chains; unset, the recipe's.", min=0)] = None,
    device: Annotated[str | None, _option("DEVICE", "Another device than the run's.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Draws fresh chains of a run, or of several composed.

    Averaged weights are used.
    """
    _check_out(out)
    held = given_values(given or [])
    _check_alone(others or [], op, weights or [])
    load_files(plugin)
    from ebmkit.assembly.device import choose_device
    from ebmkit.runs.run import load
    from ebmkit.runs.whole import written_whole

    if device is not None:
        choose_device(device)
    trained = load(directory, device=device).model
    if sampler is not None:
        trained = replace(trained, recipe=trained.recipe.with_table("sample", sampler=sampler))
    check_shape(out, trained.data.event_shape)
    composed = _composed(trained, others, op, weights or [], held, given_strength) if others else None
    settings: dict[str, Any] = {
        "transitions": transitions,
        "visits": visits,
        "plain_transitions": plain_transitions,
        "seed": seed,
    }
    if composed is not None:
        trained = composed.model
        held, given_strength = {name: value for name, value in held.items() if name != "latent"}, None
        for note in composed.notes():
            say(note)
    frames = Frames() if out.suffix == ".gif" else None
    made = _generate(trained, n, {"given": held, "strength": given_strength, **settings}, frames)
    with written_whole(out) as fresh:
        _write(fresh, made, trained, composed, frames.kept if frames else [])
    say(f"{out}: {summary(made, [r.step for r in composed.models] if composed else [trained.step])}")
    if made.accept_rate is not None and made.accept_rate < HARDLY:
        remark(_hardly(composed is not None))
    if made.n_late:
        remark(
            f"{made.n_late} of {n} chains had not come to data {made.plan.often()} within {made.plan.transitions:,} "
            "transitions and are left out. Those that had are the faster ones: raise --transitions, or ask for fewer "
            "--visits."
        )


COMMANDS: dict[str, Callable[..., None]] = {"sample": sample}


def given_values(texts: list[str]) -> dict[str, str]:
    """Returns name → value of every `--given NAME=VALUE`."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise RecipeError(f"--given {text}: write NAME=VALUE, as in label=3.")
        if name.strip() in values:
            raise RecipeError(f"--given {name.strip()} is named twice: one value is enough.")
        values[name.strip()] = value.strip()
    return values


def summary(made: Generated, steps: list[int]) -> str:
    """Returns what was made, at what cost."""
    trained = f"{', '.join(f'{step}' for step in steps)} training steps"
    spent = f"{made.n_gradients:,} gradients each"
    if made.plan.visits:
        how = f", taken at visit {made.plan.visits} to data, {spent}"
    else:
        plain = made.plan.plain_transitions
        how = (
            f", {spent} ({made.plan.transitions} transitions{f', then {plain} without augmentation' if plain else ''})"
        )
    rate = "" if made.accept_rate is None else f", acceptance {made.accept_rate:.2g}"
    return f"{len(made.x)} chains after {trained}{how}{rate}, {made.seconds:.1f} s"


def _hardly(composed: bool) -> str:
    """Returns what an acceptance below `HARDLY` means, and what helps."""
    why = (
        "The steps are those of the first run, and too long for the composed energy: name the run with the shortest "
        "steps first, or weigh the others less."
        if composed
        else "The steps are too long for this energy: raise --transitions, or train with a smaller step_size."
    )
    return f"Acceptance is below {HARDLY:g}: the chains hardly move, and are still near their start. {why}"


class Frames:
    """Pictures of moving chains: every round's at first, every second's when there are too many, and so on."""

    def __init__(self, most: int = 200) -> None:
        self._most, self._every, self._seen = most, 1, 0
        self.kept: list[Tensor] = []

    def __call__(self, x: Tensor) -> None:
        """Keeps a picture, or does not."""
        if self._seen % self._every == 0:
            self.kept.append(x)
        self._seen += 1
        if len(self.kept) > self._most:
            self.kept, self._every = self.kept[::2], 2 * self._every


def check_shape(out: Path, event_shape: tuple[int, ...]) -> None:
    """Raises RecipeError where points of a shape cannot be drawn to such a file."""
    is_image = len(event_shape) == 3 and event_shape[0] in (1, 3)
    fits = {".npz": True, ".gif": is_image, ".png": is_image or event_shape == (2,)}
    if not fits[out.suffix]:
        raise RecipeError(f"{out}: points of shape {event_shape} cannot be drawn to a {out.suffix} file. Use .npz.")


def _check_out(out: Path) -> None:
    if out.suffix not in SUFFIXES:
        raise RecipeError(f"--out {out}: the file must end in {', '.join(SUFFIXES)}, found '{out.suffix}'.")
    if not out.parent.is_dir():
        raise RecipeError(f"--out {out}: there is no folder {out.parent}. Make it first.")
    if out.is_dir():
        raise RecipeError(f"--out {out} is a folder: name a file.")


def _check_alone(others: list[Path], op: str | None, weights: list[float]) -> None:
    """Raises RecipeError for flags of a composition without one."""
    if not others and (op is not None or weights):
        flag = f"--op {op}" if op is not None else f"--weight {weights[0]:g}"
        raise RecipeError(f"{flag} composes this run with another: add --with RUN.")


def _composed(
    trained: Model, others: list[Path], op: str | None, weights: list[float], given: Mapping[str, str],
    strength: float | None,
) -> Composed:  # fmt: skip
    from ebmkit.runs.run import load
    from ebmkit.sampling.compose import compose

    runs = [trained, *(load(other, device=str(trained.device)).model for other in others)]
    asked: Any = "and" if op is None else op
    return compose(runs, asked, weights, latent=given.get("latent"), strength=strength)


def _generate(trained: Model, n: int, settings: Mapping[str, Any], frames: Frames | None) -> Generated:
    from ebmkit.cli.progress import counting
    from ebmkit.sampling.generate import generate

    size = trained.recipe.table("sample").batch_size
    first, before, last = min(n, size), 0, 0
    with counting() as tell:

        def watch(moment: Moment) -> None:
            nonlocal before, last
            if moment.transition <= last:  # a new batch
                before += 1
            last = moment.transition
            if frames is not None and before == 0:  # of the first chains, where there are many
                frames(moment.x)
            if moment.n_taken is None:
                tell(before * moment.transitions + last, ceil(n / size) * moment.transitions, "transitions")
            else:
                where = f"round {last:,} of at most {moment.transitions:,}"
                tell(before * first + moment.n_taken, n, "chains", where)

        return generate(trained, n, watch=watch, **settings)


def _write(path: Path, made: Generated, trained: Model, composed: Composed | None, frames: list[Tensor]) -> None:
    from ebmkit.evaluation.pictures import save_gif, save_picture

    if path.suffix == ".png":
        save_picture(made.x, trained.data.value_range, path)
    elif path.suffix == ".gif":
        save_gif(frames, trained.data.value_range, path)
    else:
        _write_arrays(path, made, trained, composed)


def _write_arrays(path: Path, made: Generated, trained: Model, composed: Composed | None) -> None:
    """Writes x, the coordinates, the recipe as TOML text, the number of training steps, and what was composed."""
    import numpy as np

    from ebmkit.recipes.recipe import to_toml

    arrays: dict[str, Any] = {name: values.numpy() for name, values in made.aux.items()}
    if composed is not None:
        arrays["composed"] = np.array(json.dumps(composed.as_json()))
    np.savez(path, **arrays, x=made.x.numpy(), recipe=np.array(to_toml(trained.recipe)), step=np.array(trained.step))
