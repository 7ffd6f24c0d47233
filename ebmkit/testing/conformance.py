"""The checks of a plugin as tests of pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ebmkit.plugins.component import Component
from ebmkit.testing.check import Check, Outcome, nothing_ran, outcome, verdict
from ebmkit.testing.choose import Settings, checks_for
from ebmkit.testing.found import Asked


def conformance(
    asked: Asked | Iterable[Component], *, settings: Settings | None = None, expected: Mapping[str, str] | None = None
) -> Callable[..., None]:
    """Returns a test with a case for each check, and one that says how many ran.

        from ebmkit.testing import conformance
        test_conforms = conformance("ebmkit-mine")

    Args:
        asked: as in `checks_for`.
        settings: as there.
        expected: as there.
    """
    import pytest

    checks = checks_for(asked, settings=settings, expected=expected)
    seen: dict[str, Outcome] = {}

    @pytest.mark.parametrize("check", [*checks, None], ids=[*(check.name for check in checks), "summary"])
    def test(check: Check | None) -> None:
        if check is None:
            if nothing_ran(list(seen.values())):  # the others may have run elsewhere, in another process
                seen.update({other.name: outcome(other) for other in checks if other.name not in seen})
            text, _ = verdict(list(seen.values()))
            assert not nothing_ran(list(seen.values())), text
            print(text)  # noqa: T201  # shown by pytest -s, and with a failure
            return
        seen[check.name] = outcome(check)
        found: Any = seen[check.name]
        if found.state == "not applicable":
            pytest.skip(found.text)
        if found.state == "failed":
            pytest.fail(found.text, pytrace=False)
        if found.state == "failed as expected":
            pytest.xfail(found.text)

    return test
