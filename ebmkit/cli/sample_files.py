"""What `sample` writes: a picture, an animation or arrays, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebmkit.errors import RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from ebmkit.evaluation.plane import Window
    from ebmkit.sampling.compose import Composed
    from ebmkit.sampling.generate import Generated
    from ebmkit.sampling.model import Model

SUFFIXES = (".png", ".npz", ".gif")
PLANE = (2,)
MOST_PANELS = 4
"""Classes in the plane that have a panel each; more are drawn together."""


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


def check_shape(out: Path, event_shape: tuple[int, ...]) -> None:
    """Raises RecipeError where points of a shape cannot be drawn to such a file."""
    is_image = len(event_shape) == 3 and event_shape[0] in (1, 3)
    if out.suffix != ".npz" and not is_image and event_shape != PLANE:
        raise RecipeError(f"{out}: points of shape {event_shape} cannot be drawn to a {out.suffix} file. Use .npz.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What is written of samples.

    Attributes:
        made: the samples.
        model: that they are of.
        given: what was given, by name, as it was typed.
        composed: of which runs the model is composed, where it is.
        images: whose pixels were given [n, *event], one for each sample; None where none were.
        frames: x of the first batch of chains after transitions.
    """

    made: Generated
    model: Model
    given: Mapping[str, str] = field(default_factory=dict)
    composed: Composed | None = None
    images: Tensor | None = None
    frames: Sequence[Tensor] = ()


def write_samples(out: Path, what: Written) -> None:
    """Writes samples of a model to a file of the kind that its name says."""
    from ebmkit.evaluation.pictures import save_gif
    from ebmkit.runs.files.whole import written_whole

    is_plane = what.model.data.event_shape == PLANE
    with written_whole(out) as path:
        if path.suffix == ".npz":
            _write_arrays(path, what)
        elif path.suffix == ".gif":
            save_gif(_plane_frames(what) if is_plane else _image_frames(what), path)
        elif is_plane:
            _draw_plane(path, what)
        else:
            _grid(what, what.made.x).save(path)


def _grid(what: Written, x: Tensor) -> Image:
    """Returns images as a grid: named where they have classes, beside what was given where pixels were."""
    from ebmkit.evaluation.labelled import classes_grid, inpainted_grid
    from ebmkit.evaluation.pictures import grid, scale_of, to_uint8

    made, data = what.made, what.model.data
    if made.mask is not None and what.images is not None:
        return inpainted_grid(x, what.images[: len(x)], made.mask, data.value_range)
    if len(made.names) == len(x):
        return classes_grid(x, made.names, data.value_range, data.class_names)
    return grid(to_uint8(x, data.value_range), scale=scale_of(x))


def _image_frames(what: Written) -> list[Image]:
    return [_grid(what, frame) for frame in what.frames]


def _plane_frames(what: Written) -> list[Image]:
    """Returns pictures of chains in the plane, on the density that they are drawn from."""
    from ebmkit.evaluation.plane import window_around
    from ebmkit.evaluation.plane_pictures import plane_frames

    window = window_around(what.frames[-1].float(), what.frames[0].float())
    return plane_frames(what.frames, log_density=_density(what, window), window=window, title=_title(what))


def _draw_plane(path: Path, what: Written) -> None:
    """Draws samples in the plane beside the density that they are drawn from, each class in a panel of its own."""
    from ebmkit.evaluation.labelled import by_name
    from ebmkit.evaluation.plane import window_around
    from ebmkit.evaluation.plane_pictures import save_plane

    x, names = what.made.x, what.made.names
    clouds = by_name(x, names, what.model.data.class_names) if names else [("samples", x)]
    clouds = clouds if len(clouds) <= MOST_PANELS else [("samples", x)]
    window = window_around(x.float().cpu())
    save_plane(path, clouds, log_density=_density(what, window), window=window, title=_title(what))


def _density(what: Written, window: Window) -> Tensor | None:
    """Returns the density of the model in the plane, None where it has none or what was given changes it."""
    from ebmkit.evaluation.plane import density_if_any

    model = what.model
    if model.data.x_values != "real" or what.given.keys() & {"label", "latent"}:
        return None
    return density_if_any(model.view().energy, window, model.temperature, model.coordinates, model.device)


def _title(what: Written) -> str:
    given = "".join(f", {name} = {value}" for name, value in what.given.items())
    return f"{Path(what.model.name).name}{given}"


def _write_arrays(path: Path, what: Written) -> None:
    """Writes x, the coordinates, and what they depend on; docs/python.md lists the names."""
    import numpy as np

    from ebmkit.recipes.recipe import to_toml

    made, model = what.made, what.model
    arrays: dict[str, Any] = {name: values.numpy() for name, values in made.aux.items()}
    arrays |= {"x": made.x.numpy(), "seed": made.seed, "step": model.step, "recipe": to_toml(model.recipe)}
    arrays |= {"given": json.dumps(dict(what.given)), "class_names": list(model.data.class_names)}
    arrays["temperature"] = model.temperature
    optional = {
        "names": list(made.names) or None,
        "value_range": model.data.value_range,
        "mask": made.mask,
        "images": what.images,
        "denoised": made.denoised,
        "composed": None if what.composed is None else json.dumps(what.composed.as_json()),
    }
    arrays |= {name: value for name, value in optional.items() if value is not None}
    kept: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez(path, **kept)
