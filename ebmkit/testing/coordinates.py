"""What every coordinate promises: lifted rows and fresh chains have it, within its values, from the stream alone."""

from __future__ import annotations

from ebmkit.rng import stream
from ebmkit.testing.assembled import assembled
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined, Promise
from ebmkit.testing.law import seeded
from ebmkit.training.checker.coordinates import check_lifts, check_priors


def lifts_data(part: Examined) -> None:
    """Raises PluginError where lifting breaks a promise, or what is said of lifted rows is wrong."""
    among = assembled(part)
    check_lifts(among.parts.coordinates, among.batch, lambda name: stream(50, 0, name))


def starts_fresh_chains(part: Examined) -> None:
    """Raises PluginError where fresh chains get it otherwise than they must."""
    among = assembled(part)
    check_priors(among.parts.coordinates, among.batch, lambda name: stream(51, 0, name))


def shows_data(part: Examined) -> None:
    """Raises CheckFailed where cleaned rows, shown as data, leave the range of the data."""
    among = assembled(part)
    own = next(c for c in among.parts.coordinates if c.name == part.component.name)
    point = own.clean(own.lift(among.batch, among.point().without(own.name).replace(x=among.batch.x), seeded(52)))
    shown = own.to_data(point)
    if not own.noises_x and among.value_range is not None:
        low, high = among.value_range
        if float(shown.min()) < low or float(shown.max()) > high:
            raise CheckFailed(f"to_data gave x outside of [{low:g}, {high:g}], where x lay within. Return x as it is.")
    if not bool(own.is_data(point).all()):
        raise CheckFailed("clean left rows away from data by is_data. Set the value that data have.")


PROMISES = (
    Promise(name="lift", text="data are lifted row by row, from the stream alone", look=lifts_data),
    Promise(name="prior", text="fresh chains have it, within its values", look=starts_fresh_chains),
    Promise(name="clean", text="a cleaned row is a datum", look=shows_data),
)
"""Of every coordinate."""
