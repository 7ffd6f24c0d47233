"""Whether a buffer gives chains like the data's, and keeps those that are put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Generator, Tensor

from ebmkit.data.spec import DataSpec
from ebmkit.errors import EbmkitError, PluginError
from ebmkit.point import Point
from ebmkit.protocols.buffer import Buffer
from ebmkit.training.checker.points import check_detached, check_discrete, check_finite, check_like, check_within
from ebmkit.training.checker.snapshots import changed, kept, listed, of_point, same
from ebmkit.training.checker.streams import own_stream_only

ADVICE = "Draw from the generator that `draw` is handed: generator=rng."

Streams = Callable[[str], Generator]


def check_draw(
    label: str,
    buffer: Buffer,
    positive: Point,
    match: frozenset[str],
    rng: Streams,
    data: DataSpec | None,
    bounded: bool,
) -> tuple[Any, Point]:
    """Returns a token and chains; raises PluginError where they are not like the positive.

    Args:
        label: what messages call the buffer.
        buffer: to be drawn from.
        positive: lifted data.
        match: coordinates whose values the chains take from it.
        rng: the streams of the step.
        data: what the data set says of itself.
        bounded: no coordinate noises x, so that fresh chains start in the value range of the data.
    """
    before, who, untouched = kept(of_point(positive)), f"{label} drew", buffer.filled == 0
    with own_stream_only(label, ADVICE):
        drawn: object = buffer.draw(positive, rng("draw"), match)
        if not isinstance(drawn, tuple) or len(drawn) != 2:
            raise PluginError(f"{label}: draw returned {type(drawn).__name__}. It returns a token and the chains.")
        chains = check_like(who, drawn[1], positive)
    if changed(before, of_point(positive)):
        raise PluginError(f"{label} wrote into the positive when chains were drawn. Work on a copy.")
    check_detached(who, chains)
    check_finite(who, chains)
    check_within(who, chains, data.value_range if data is not None and bounded and untouched else None)
    check_discrete(who, chains, data)
    for name in sorted(match):
        if not same(chains.aux[name], positive.aux[name]):
            raise PluginError(f"{who} chains whose '{name}' is not that of the data. Nobody moves it: take theirs.")
    return drawn[0], chains


def check_draws_again(
    label: str,
    buffer: Buffer,
    rows: dict[str, Tensor],
    chains: Point,
    positive: Point,
    match: frozenset[str],
    rng: Streams,
) -> None:
    """Raises PluginError where a buffer with the rows that it had draws other chains, by the same stream.

    Args:
        label: what messages call the buffer.
        buffer: that was drawn from.
        rows: its state before.
        chains: that it drew.
        positive: lifted data.
        match: coordinates whose values the chains take from it.
        rng: the streams of the step.
    """
    buffer.load_state_dict(rows)
    _, again = buffer.draw(positive, rng("draw"), match)
    if changed(of_point(chains), of_point(again)):
        raise PluginError(
            f"{label} drew other chains from the rows that it had before, by the same stream: a resumed run would "
            f"differ. Keep all of its state in state_dict. {ADVICE}"
        )


def check_put(label: str, buffer: Buffer, token: Any, negative: Point, start: Point) -> None:
    """Raises PluginError where a buffer does not keep chains that are put back, or cannot be saved and restored.

    The buffer holds the chains afterwards, or is as it was.
    """
    rows, before = kept(of_point(negative)), kept(buffer.state_dict())
    with own_stream_only(label, "Let the token of the draw decide what becomes of the chains."):
        buffer.put(token, negative)
    if changed(rows, of_point(negative)):
        raise PluginError(f"{label} wrote into the chains that were put into it. Store a copy.")
    if not len(buffer):
        return
    if not 0 < buffer.filled <= len(buffer):
        raise PluginError(
            f"{label} says filled = {buffer.filled} of {len(buffer)} rows after {len(negative)} chains were put into "
            "it. It counts the rows that hold moved chains."
        )
    after = kept(buffer.state_dict())
    if not changed(before, after) and not same(negative.x, start.x):
        raise PluginError(
            f"{label} holds the same rows after {len(negative)} moved chains were put into it: they are lost, or not "
            "in its state_dict. Keep them there."
        )
    for saved in (before, after):
        _check_takes(label, buffer, saved)


def _check_takes(label: str, buffer: Buffer, saved: dict[str, Tensor]) -> None:
    """Looks whether a buffer takes its rows back from a checkpoint."""
    try:
        buffer.load_state_dict(saved)
    except EbmkitError as error:
        raise PluginError(f"{label} refuses the rows that it saved itself: {error}") from error
    lost = changed(saved, buffer.state_dict())
    if lost:
        raise PluginError(
            f"{label} did not take its saved {listed(lost)}: a resumed run would differ. Copy them in load_state_dict."
        )


def check_reference(label: str, buffer: Buffer, k: int, token: Any, model: Point, rng: Streams) -> None:
    """Raises PluginError where other rows, for an entropy, are not k rows like the chains."""
    if not k or k + len(model) > len(buffer):
        return
    with own_stream_only(label, "Draw from the generator that `reference` is handed: generator=rng."):
        found: object = buffer.reference(k, rng("reference"), exclude=token)
    if not isinstance(found, Point) or len(found) != k:
        n = len(found) if isinstance(found, Point) else type(found).__name__
        raise PluginError(f"{label} gave {n} reference rows where {k} were asked for.")
    head = model.map(lambda tensor: tensor[:1].expand(k, *tensor.shape[1:]))
    check_finite(f"{label} gave reference rows with", check_like(f"{label} gave reference rows with", found, head))
