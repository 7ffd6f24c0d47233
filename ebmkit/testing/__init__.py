"""What every part must hold, as named checks: for the tests of a plugin and for `ebmkit check`."""

from ebmkit.testing.check import Check, CheckFailed, NotApplicable, Outcome, outcome, verdict
from ebmkit.testing.choose import checks_for
from ebmkit.testing.conformance import conformance

__all__ = ["Check", "CheckFailed", "NotApplicable", "Outcome", "checks_for", "conformance", "outcome", "verdict"]
