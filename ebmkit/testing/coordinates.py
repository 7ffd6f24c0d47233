"""What every coordinate promises: lifted rows and fresh chains have it, within its values, from the stream alone."""

from __future__ import annotations

import torch
from torch import Generator

from ebmkit.point import Batch, Point
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.rng import stream
from ebmkit.testing.assembled import assembled
from ebmkit.testing.check import CheckFailed, NotApplicable
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.coordinates import check_lifts, check_priors
from ebmkit.training.checker.snapshots import changed, of_point, same

Range = tuple[float, float] | None
N_FRESH = 400


def check_coordinate(coordinate: Coordinate, batch: Batch, value_range: Range = None, seed: int = 0) -> None:
    """Looks at a built coordinate that needs no other one, at any data.

    Args:
        coordinate: to be looked at.
        batch: clean data.
        value_range: of x.
        seed: of the streams.

    Raises:
        EbmkitError: a promise is broken.
    """
    before = Point(x=batch.x)
    check_lifts([coordinate], batch, lambda name: stream(seed, 0, name))
    check_priors([coordinate], batch, lambda name: stream(seed, 0, name))
    _check_shown(coordinate, batch, before, value_range)
    _check_away(coordinate, before)
    if not _draws(coordinate, batch, before):
        _check_rows(coordinate, batch, before)


def lifts_data(part: Examined) -> None:
    """Raises PluginError where lifting breaks a promise, or what is said of lifted rows is wrong."""
    among = assembled(part)
    check_lifts(among.parts.coordinates, among.batch, lambda name: stream(50, 0, name))
    own, batch, before = _own(part)
    if own.noises_x and same(own.lift(batch, before, seeded(52)).x, batch.x):
        raise CheckFailed("it says noises_x = True, and lifting changed no x. Say False: x then keeps its bounds.")


def keeps_rows_apart(part: Examined) -> None:
    """Raises CheckFailed where lifted rows are not those of the data, in their order."""
    own, batch, before = _own(part)
    if _draws(own, batch, before):
        raise NotApplicable("it draws random numbers for each row, which belong to places")
    _check_rows(own, batch, before)


def starts_fresh_chains(part: Examined) -> None:
    """Raises PluginError where fresh chains get it otherwise than they must."""
    among = assembled(part)
    check_priors(among.parts.coordinates, among.batch, lambda name: stream(51, 0, name))


def says_where_data_are(part: Examined) -> None:
    """Raises CheckFailed where `leaves_data` is not what fresh chains say."""
    own, _, before = _own(part)
    _check_away(own, before)


def shows_data(part: Examined) -> None:
    """Raises CheckFailed where cleaned rows, shown as data, leave the range of the data."""
    _check_shown(*_own(part), assembled(part).value_range)


def _own(part: Examined) -> tuple[Coordinate, Batch, Point]:
    """Returns the coordinate, data, and the point as the others lift it."""
    among = assembled(part)
    own = next(c for c in among.parts.coordinates if c.name == part.component.name)
    return own, among.batch, among.point().without(own.name).replace(x=among.batch.x)


def _draws(coordinate: Coordinate, batch: Batch, before: Point) -> bool:
    rng = seeded(53)
    start = rng.get_state()
    coordinate.lift(batch, before, rng)
    return not torch.equal(start, rng.get_state())


def _check_rows(coordinate: Coordinate, batch: Batch, before: Point) -> None:
    order = torch.randperm(len(batch), generator=seeded(54))
    turned = Batch(x=batch.x[order], y=None if batch.y is None else batch.y[order])
    wanted = coordinate.lift(batch, before, seeded(53)).map(lambda t: t[order])
    found = coordinate.lift(turned, before.map(lambda t: t[order]), seeded(53))
    if changed(of_point(wanted), of_point(found)):
        raise CheckFailed(
            f"'{coordinate.name}' of data in another order is not that of the data in that order. Row b of what is "
            "lifted comes from row b of the batch."
        )


def _check_away(coordinate: Coordinate, before: Point) -> None:
    """Compares `leaves_data` with what is said of fresh chains, for training and for generation."""
    many = before.map(lambda t: t[torch.arange(N_FRESH) % len(t)])
    told: list[bool] = []
    for purpose in ("buffer", "generation"):
        fresh = coordinate.prior(len(many), many, _stream(purpose), purpose)
        if coordinate.name not in fresh.aux or len(fresh) != len(many):
            raise CheckFailed(
                f"prior(…, purpose=\"{purpose}\") gave no '{coordinate.name}', or another number of rows."
            )
        told.append(bool(coordinate.is_data(fresh).all()))
    if coordinate.leaves_data and told[0]:
        raise CheckFailed(
            f"it says leaves_data = True, and none of {N_FRESH} fresh chains is away from data by is_data. Say False, "
            "or let is_data tell which rows are."
        )
    if not coordinate.leaves_data and not all(told):
        raise CheckFailed("it says leaves_data = False, and fresh chains are away from data by is_data. Say True.")


def _stream(purpose: str) -> Generator:
    return stream(55, 0, purpose)


def _check_shown(coordinate: Coordinate, batch: Batch, before: Point, value_range: Range) -> None:
    point = coordinate.clean(coordinate.lift(batch, before, seeded(52)))
    shown = coordinate.to_data(point)
    if not coordinate.noises_x and value_range is not None:
        low, high = value_range
        if float(shown.min()) < low or float(shown.max()) > high:
            raise CheckFailed(f"to_data gave x outside of [{low:g}, {high:g}], where x lay within. Return x as it is.")
    if not bool(coordinate.is_data(point).all()):
        raise CheckFailed("clean left rows away from data by is_data. Set the value that data have.")
    if not bool((coordinate.signal(point) > 0).all()):
        raise CheckFailed("signal is 0 where a row is a datum. It is the share of the datum that the row still holds.")


PROMISES = (
    Promise(name="lift", text="data are lifted as it says, from the stream alone", look=lifts_data),
    Promise(name="rows", text="row b is lifted from row b", look=keeps_rows_apart),
    Promise(name="prior", text="fresh chains have it, within its values", look=starts_fresh_chains),
    Promise(name="away", text="chains are away from data where it says so", look=says_where_data_are),
    Promise(name="clean", text="a cleaned row is a datum", look=shows_data),
)
"""Of every coordinate."""
