"""What `sample` writes: a picture, an animation or arrays, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.sampling.compose import Composed
    from ebmkit.sampling.generate import Generated
    from ebmkit.sampling.model import Model

SUFFIXES = (".png", ".npz", ".gif")


class Frames:
    """Pictures of moving chains: every transition's at first, every second's when there are too many, and so on."""

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


def check_out(out: Path) -> None:
    """Raises RecipeError where no file of a known kind can be written."""
    if out.suffix not in SUFFIXES:
        raise RecipeError(f"--out {out}: the file must end in {', '.join(SUFFIXES)}, found '{out.suffix}'.")
    if not out.parent.is_dir():
        raise RecipeError(f"--out {out}: there is no folder {out.parent}. Make it first.")
    if out.is_dir():
        raise RecipeError(f"--out {out} is a folder: name a file.")


def check_shape(out: Path, event_shape: tuple[int, ...]) -> None:
    """Raises RecipeError where points of a shape cannot be drawn to such a file."""
    is_image = len(event_shape) == 3 and event_shape[0] in (1, 3)
    fits = {".npz": True, ".gif": is_image, ".png": is_image or event_shape == (2,)}
    if not fits[out.suffix]:
        raise RecipeError(f"{out}: points of shape {event_shape} cannot be drawn to a {out.suffix} file. Use .npz.")


def write_samples(
    out: Path, made: Generated, model: Model, composed: Composed | None = None, frames: Sequence[Tensor] = ()
) -> None:
    """Writes samples of a model to a file of the kind that its name says."""
    from ebmkit.evaluation.pictures import save_gif
    from ebmkit.runs.whole import written_whole

    value_range = model.data.value_range
    with written_whole(out) as path:
        if path.suffix == ".png":
            _draw(path, made, model)
        elif path.suffix == ".gif":
            save_gif(frames, value_range, path)
        else:
            _write_arrays(path, made, model, composed)


def _draw(path: Path, made: Generated, model: Model) -> None:
    """Draws images as a grid; samples in the plane beside the density that they are drawn from."""
    from ebmkit.evaluation.pictures import save_picture
    from ebmkit.evaluation.plane import density_if_any, window_around
    from ebmkit.evaluation.plane_pictures import save_plane

    if model.data.event_shape != (2,) or model.data.x_values != "real":
        save_picture(made.x, model.data.value_range, path)
        return
    window = window_around(made.x.float().cpu())
    energy = model.view().energy
    log_p = density_if_any(energy, window, model.temperature, model.coordinates, model.device)
    save_plane(path, [("samples", made.x)], log_density=log_p, window=window, title=Path(model.name).name)


def _write_arrays(path: Path, made: Generated, model: Model, composed: Composed | None) -> None:
    """Writes x, the coordinates, the recipe as TOML text, the number of training steps, and what was composed."""
    import numpy as np

    from ebmkit.recipes.recipe import to_toml

    arrays: dict[str, Any] = {name: values.numpy() for name, values in made.aux.items()}
    if composed is not None:
        arrays["composed"] = np.array(json.dumps(composed.as_json()))
    np.savez(path, **arrays, x=made.x.numpy(), recipe=np.array(to_toml(model.recipe)), step=np.array(model.step))
