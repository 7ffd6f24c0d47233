"""`sample`: fresh chains of a trained run, as a picture, an animation or arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ebmkit.cli.out_file import check_out
from ebmkit.cli.sample_files import SUFFIXES, Frames, Written, check_shape, write_samples
from ebmkit.cli.training import PluginFiles, importing_torch, load_files
from ebmkit.cli.training import option as _option
from ebmkit.display.doing import doing
from ebmkit.display.output import remark, say
from ebmkit.display.watching import preparing
from ebmkit.errors import RecipeError
from ebmkit.recipes.tables import Method

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.sampling.compose import Composed
    from ebmkit.sampling.generate import Generated
    from ebmkit.sampling.model import Model

HARDLY = 0.1
"""Acceptance below which chains are said hardly to move."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked for; None is for the recipe to say.

    Attributes:
        n: chains.
        given: coordinate, or "latent" → what it is held at.
        strength: of a given latent, nats.
        transitions: of each chain.
        visits: to data, before a chain is taken.
        plain_transitions: after the transitions, without augmentation.
        seed: of the chains.
        others: further runs, to compose with.
        op: how they are composed.
        weights: of the others, in order.
        images: whose pixels are given: a file, a folder, "test" or "train".
        denoise: end with a step that takes known noise away.
        method: "visits" or "anneal".
        moves: annealed, at each noise level.
    """

    n: int
    given: Mapping[str, str]
    strength: float | None
    transitions: int | None
    visits: int | None
    plain_transitions: int | None
    seed: int | None
    others: Sequence[Path]
    op: str | None
    weights: Sequence[float]
    images: str | None
    denoise: bool | None
    method: Method | None = None
    moves: int | None = None

    def __post_init__(self) -> None:
        """Raises RecipeError for flags of a composition without one, and for images of which nothing is given."""
        if self.images is not None and "pixels" not in self.given:
            raise RecipeError(f"--images {self.images} says whose pixels are given: add --given pixels=MASK.png.")
        if not self.others and (self.op is not None or self.weights):
            flag = f"--op {self.op}" if self.op is not None else f"--weight {self.weights[0]:g}"
            raise RecipeError(f"{flag} composes this run with another: add --with RUN.")


def sample(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or pretrained:NAME.")],
    out: Annotated[
        Path, _option("FILE", ".png picture, .npz arrays or .gif of the transitions; overwritten.", "--out")
    ],
    n: Annotated[int, _option("N", "Chains.", "-n", min=1)] = 64,
    sampler: Annotated[str | None, _option("NAME", "Draws them, a+b; unset, that of the recipe.")] = None,
    given: Annotated[
        list[str] | None,
        _option("NAME=VALUE", "Hold it, as in label=3, label=all, pixels=FILE (white: given); repeatable."),
    ] = None,
    given_strength: Annotated[float | None, _option("B", "Weight of a given latent, nats.")] = None,
    images: Annotated[
        str | None, _option("FILE", "Whose pixels are given: a picture, a folder, or test (the default).")
    ] = None,
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
    method: Annotated[
        Method | None, _option("NAME", "visits, or anneal: one walk from noise to data; unset, the recipe's.")
    ] = None,
    moves: Annotated[int | None, _option("N", "Annealed: exact moves at each noise level.", min=0)] = None,
    denoise: Annotated[
        bool | None,
        typer.Option("--denoise/--noisy", help="With a noise level: end at the mean of the clean x (Tweedie)."),
    ] = None,
    seed: Annotated[int | None, _option("N", "Of the chains; unset, the recipe's.", min=0)] = None,
    step: Annotated[int | None, _option("N", "Of an earlier checkpoint; unset, the newest.", min=0)] = None,
    device: Annotated[str | None, _option("DEVICE", "Another device than the run's.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Draws fresh chains of a run, or of several composed.

    Averaged weights are used.
    """
    check_out(out, SUFFIXES)
    request = Request(
        n=n, given=given_values(given or []), strength=given_strength, transitions=transitions, visits=visits,
        plain_transitions=plain_transitions, seed=seed, others=others or [], op=op, weights=weights or [],
        images=images, denoise=denoise, method=method, moves=moves,
    )  # fmt: skip
    load_files(plugin)
    with importing_torch():
        model = _loaded(directory, device, step)
        if sampler is not None:
            model = _drawn_by(model, sampler, method)
        check_shape(out, model.data.event_shape)
        whole, of = _images(model, request)
        composed = _composed(model, request) if request.others else None
    for note in composed.notes() if composed else ():
        say(note)
    frames = Frames() if out.suffix == ".gif" else None
    seen = composed.model if composed else model
    made = _generated(seen, _without_latent(request, composed), whole, frames)
    kept = frames.kept if frames else []
    with preparing():
        doing(f"writing {out}")
        what = Written(made=made, model=seen, given=request.given, composed=composed, images=whole, frames=kept)
        write_samples(out, what)
    say(f"{out}: {summary(made, [m.step for m in composed.models] if composed else [model.step], of)}")
    for note in (*_slow(made, composed is not None), *made.notes):
        remark(note)


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


def summary(made: Generated, steps: list[int], images: str = "") -> str:
    """Returns what was made, at what cost."""
    trained = f"{', '.join(f'{step}' for step in steps)} training steps"
    spent = f"{made.n_gradients:,} gradients each"
    if made.plan.visits or made.plan.walked:
        how = f", taken {made.plan.taken()}, {spent}"
    else:
        plain = made.plan.plain_transitions
        how = (
            f", {spent} ({made.plan.transitions} transitions{f', then {plain} without augmentation' if plain else ''})"
        )
    rate = "" if made.accept_rate is None else f", acceptance {made.accept_rate:.2g}"
    given = ""
    if made.mask is not None:
        given = f", {int(made.mask.sum()):,} of {made.mask.numel():,} entries of x given ({images})"
    last = "" if made.denoised is None else f", then denoised (Tweedie, noise of s.d. {made.denoised:.3g})"
    return f"{len(made.x)} chains after {trained}{given}{how}{rate}{last}, {made.seconds:.1f} s"


def _slow(made: Generated, is_composed: bool) -> Iterator[str]:
    """Yields what an acceptance below `HARDLY` means, and what helps."""
    if made.accept_rate is None or made.accept_rate >= HARDLY:
        return
    why = (
        "The steps are those of the first run, and too long for the composed energy: name the run with the shortest "
        "steps first, or weigh the others less."
        if is_composed
        else "The steps are too long for this energy: raise --transitions, or train with a smaller step_size."
    )
    yield f"Acceptance is below {HARDLY:g}: the chains hardly move, and are still near their start. {why}"


def _loaded(directory: Path, device: str | None, step: int | None = None) -> Model:
    from ebmkit.assembly.device import choose_device
    from ebmkit.runs.loaded import load

    if device is not None:
        choose_device(device)
    return load(directory, device=device, step=step).model


def _drawn_by(model: Model, sampler: str, method: str | None) -> Model:
    if (method or model.recipe.table("sample").method) == "anneal":
        why = "annealed chains make exact moves of their own. Leave it out, or sample with --method visits."
        raise RecipeError(f"--sampler {sampler} has no effect: {why}")
    return replace(model, recipe=model.recipe.with_table("sample", sampler=sampler))


def _composed(model: Model, request: Request) -> Composed:
    from ebmkit.sampling.compose import Op, compose

    models = [model, *(_loaded(other, str(model.device)) for other in request.others)]
    op = cast(Op, "and" if request.op is None else request.op)  # another word is refused by `compose`
    return compose(models, op, request.weights, latent=request.given.get("latent"), strength=request.strength)


def _images(model: Model, request: Request) -> tuple[Tensor | None, str]:
    """Returns the images whose pixels are given and what they are; None where none are."""
    from ebmkit.sampling.images import images_for
    from ebmkit.sampling.pixels import PIXELS, known_places

    if PIXELS not in request.given:
        return None, ""
    known_places(request.given[PIXELS], tuple(model.data.event_shape))  # before any data are read
    seed = model.recipe.table("run").seed if request.seed is None else request.seed
    return images_for(model, request.images, request.n, seed)


def _without_latent(request: Request, composed: Composed | None) -> Request:
    """Returns the request without what a composed energy holds itself."""
    if composed is None:
        return request
    given = {name: value for name, value in request.given.items() if name != "latent"}
    return replace(request, given=given, strength=None)


def _generated(model: Model, request: Request, images: Tensor | None, frames: Frames | None) -> Generated:
    from ebmkit.sampling.shown import shown

    return shown(
        model,
        request.n,
        start=images,
        given=request.given,
        strength=request.strength,
        transitions=request.transitions,
        visits=request.visits,
        plain_transitions=request.plain_transitions,
        seed=request.seed,
        denoise=request.denoise,
        method=request.method,
        moves=request.moves,
        frames=frames,
    )
