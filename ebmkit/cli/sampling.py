"""`sample`: fresh chains of a trained run, as a picture, an animation or arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ebmkit.cli.output import say
from ebmkit.cli.training import PluginFiles, load_files
from ebmkit.cli.training import option as _option
from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.generation import Generated
    from ebmkit.runs import Run

SUFFIXES = (".png", ".npz", ".gif")


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    out: Annotated[Path, _option("FILE", ".png picture, .npz arrays or .gif of every round; overwritten.", "--out")],
    n: Annotated[int, _option("N", "Chains.", "-n", min=1)] = 64,
    given: Annotated[list[str] | None, _option("NAME=VALUE", "Hold a coordinate, as in label=3; repeatable.")] = None,
    given_strength: Annotated[float | None, _option("B", "Weight of a given latent, nats.")] = None,
    rounds: Annotated[int | None, _option("N", "Transitions of each chain; unset, the recipe's.", min=1)] = None,
    seed: Annotated[int | None, _option("N", "Of the chains; unset, the recipe's.", min=0)] = None,
    device: Annotated[str | None, _option("DEVICE", "Another device than the run's.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Draws fresh chains of a run, with its averaged weights."""
    _check_out(out)
    held = given_values(given or [])
    load_files(plugin)
    from ebmkit.assemble import choose_device
    from ebmkit.runs import load

    if device is not None:
        choose_device(device)
    trained = load(directory, device=device)
    check_shape(out, trained.facts.event_shape)
    frames: list[Tensor] = []
    made = _generate(trained, n, held, given_strength, rounds, seed, frames if out.suffix == ".gif" else None)
    write_whole(out, lambda path: _write(path, made, trained, frames))
    say(
        f"{out}: {len(made.x)} chains after {trained.step} training steps, {made.n_gradients} gradients each "
        f"({made.rounds} rounds), {made.seconds:.1f} s"
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


def check_shape(out: Path, event_shape: tuple[int, ...]) -> None:
    """Raises RecipeError where points of a shape cannot be drawn to such a file."""
    is_image = len(event_shape) == 3 and event_shape[0] in (1, 3)
    fits = {".npz": True, ".gif": is_image, ".png": is_image or event_shape == (2,)}
    if not fits[out.suffix]:
        raise RecipeError(f"{out}: points of shape {event_shape} cannot be drawn to a {out.suffix} file. Use .npz.")


def write_whole(out: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a file beside `out` and renames it, so that `out` is never half there."""
    fresh = out.with_name(f".{out.stem}.writing{out.suffix}")
    try:
        write(fresh)
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _check_out(out: Path) -> None:
    if out.suffix not in SUFFIXES:
        raise RecipeError(f"--out {out}: the file must end in {', '.join(SUFFIXES)}, found '{out.suffix}'.")
    if not out.parent.is_dir():
        raise RecipeError(f"--out {out}: there is no folder {out.parent}. Make it first.")
    if out.is_dir():
        raise RecipeError(f"--out {out} is a folder: name a file.")


def _generate(
    trained: Run, n: int, given: Mapping[str, str], strength: float | None, rounds: int | None, seed: int | None,
    frames: list[Tensor] | None,
) -> Generated:  # fmt: skip
    from ebmkit.cli.progress import counting
    from ebmkit.generation import generate

    config = trained.recipe.table("sample")
    batches, passed = ceil(n / config.batch_size), 0
    with counting(batches * (rounds or config.rounds)) as tell:

        def watch(done: int, total: int, x: Tensor) -> None:
            nonlocal passed
            passed += 1
            if frames is not None and passed <= total:  # of the first chains, where there are many
                frames.append(x)
            tell(passed)

        return generate(trained, n, given=given, strength=strength, rounds=rounds, seed=seed, watch=watch)


def _write(path: Path, made: Generated, trained: Run, frames: list[Tensor]) -> None:
    from ebmkit.pictures import save_gif, save_picture

    if path.suffix == ".png":
        save_picture(made.x, trained.facts.value_range, path)
    elif path.suffix == ".gif":
        save_gif(frames, trained.facts.value_range, path)
    else:
        _write_arrays(path, made, trained)


def _write_arrays(path: Path, made: Generated, trained: Run) -> None:
    """Writes x, the coordinates, the recipe as TOML text and the number of training steps."""
    import numpy as np

    from ebmkit.recipe import to_toml

    arrays: dict[str, Any] = {name: values.numpy() for name, values in made.aux.items()}
    np.savez(path, **arrays, x=made.x.numpy(), recipe=np.array(to_toml(trained.recipe)), step=np.array(trained.step))
