"""Numbers and durations in words that a person reads."""

from __future__ import annotations

from math import floor, isfinite, isnan, log10

from ebmkit.evaluation.words import ROUNDING

MINUS, DOT = "\u2212", "\u00b7"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def said(value: object, digits: int = 3) -> str:
    """Returns a number with so many significant digits, and anything else as text.

    >>> said(1600), said(0.742391), said(-12345.6), said(3.2e-7), said(float("nan"))
    ('1,600', '0.742', '−12,346', '3.2·10⁻⁷', 'NaN')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isnan(value):
        return "NaN"
    if not isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if isinstance(value, int) and abs(value) < 10**9:
        return f"{value:,}".replace("-", MINUS)
    return _decimal(float(value), digits)


def with_error(value: float, error: float | None, digits: int = 2) -> str:
    """Returns a number to the digits that its standard error leaves it.

    An error within rounding of float64 is none.

    >>> with_error(127.934, 3.21), with_error(0.45123, 0.0091), with_error(0.5, None), with_error(2.0, 1e-17)
    ('127.9 ± 3.2', '0.4512 ± 0.0091', '0.5', '2 ± 0')
    """
    if error is None or not isfinite(error) or not isfinite(value):
        return said(value, 4) if error is None else f"{said(value, 4)} ± {said(error)}"
    if error <= ROUNDING * abs(value):
        return f"{said(value, 4)} ± 0"
    if max(abs(value), error) >= 1e7 or error < 1e-6:
        return f"{said(value, 4)} ± {said(error, digits)}"
    places = max(0, digits - 1 - floor(log10(error)))
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Returns a time in its two largest units.

    >>> duration(0.42), duration(42), duration(700), duration(9000), duration(200000)
    ('0.42 s', '42 s', '11 min 40 s', '2 h 30 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    units = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
    large, name, small, other = next(unit for unit in units if seconds >= unit[0])
    rest = int(seconds % large // small)
    return f"{int(seconds // large)} {name}" + (f" {rest} {other}" if rest else "")


def count(n: int, one: str, many: str = "") -> str:
    """Returns a number of things.

    >>> count(1, "warning"), count(2, "warning"), count(0, "entry", "entries")
    ('1 warning', '2 warnings', '0 entries')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _decimal(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    place = floor(log10(abs(value)))
    if -4 <= place < 7:
        written = f"{value:,.{max(0, digits - 1 - place)}f}"
        return (written.rstrip("0").rstrip(".") if "." in written else written).replace("-", MINUS)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    shown = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = f"10{str(int(exponent)).translate(RAISED)}"
    return {"1": power, "-1": f"{MINUS}{power}"}.get(shown, f"{shown}{DOT}{power}").replace("-", MINUS)
