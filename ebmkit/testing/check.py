"""One thing that a part promises, as a check that can be run, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from traceback import extract_tb
from typing import Literal

import torch

from ebmkit.errors import EbmkitError

State = Literal["holds", "failed", "failed as expected", "not applicable"]


OURS = (Path(__file__).parents[1], Path(torch.__file__).parent)
"""What lies here is no stranger's code."""


class CheckFailed(EbmkitError):
    """A part does not hold what it promises; says what was promised, what was found and what to do."""

    exit_status = 1


class NotApplicable(Exception):
    """A check has nothing to look at in this part; says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One promise of one part.

    Attributes:
        name: "mala/law-gaussian", unique among the checks of a plugin.
        promise: what it holds, one sentence.
        body: looks; raises CheckFailed or another `EbmkitError` with what was found and what to do, or NotApplicable.
        expected: the reason why it is known to fail; "" where it must hold.
        of_declaration: it looks at the declaration of a part, not at the part.
    """

    name: str
    promise: str
    body: Callable[[], None]
    expected: str = ""
    of_declaration: bool = False

    def run(self) -> None:
        """Looks whether the promise is kept.

        Raises:
            CheckFailed: it is not, or it was expected to fail and holds.
            NotApplicable: there is nothing to look at.
        """
        found = self._found()
        if found and not self.expected:
            raise CheckFailed(f"{self.name}\n  promised: {self.promise}\n  found: {found}")
        if self.expected and not found:
            raise CheckFailed(
                f"{self.name}\n  promised: {self.promise}\n  found: it holds, and was expected to fail because "
                f"{self.expected.rstrip('.')}. Take the expectation out."
            )

    def _found(self) -> str:
        """Returns what is wrong, "" where nothing is."""
        try:
            self.body()
        except (NotApplicable, KeyboardInterrupt):
            raise
        except EbmkitError as error:
            return str(error)
        except (Exception, SystemExit) as error:  # a stranger's code may raise anything
            if os.environ.get("EBMKIT_STRICT") == "1":
                raise
            return f"{type(error).__name__}: {error} ({_place_of(error)}). EBMKIT_STRICT=1 gives the whole traceback."
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a check.

    Attributes:
        check: that was run.
        state: of it.
        text: the message of a failure, or the reason of what did not run or was expected to fail.
        seconds: that it took.
    """

    check: Check
    state: State
    text: str
    seconds: float


def outcome(check: Check) -> Outcome:
    """Runs a check and returns what came of it."""
    started, state, text = perf_counter(), "holds", ""
    try:
        check.run()
        state, text = ("failed as expected", check.expected) if check.expected else ("holds", "")
    except CheckFailed as error:
        state, text = "failed", str(error)
    except NotApplicable as reason:
        state, text = "not applicable", str(reason)
    return Outcome(check=check, state=state, text=text, seconds=perf_counter() - started)  # type: ignore[arg-type]


def _place_of(error: BaseException) -> str:
    """Returns where an error came up: the innermost line that is neither ebmkit's own nor torch's."""
    frames = extract_tb(error.__traceback__)
    foreign = [frame for frame in frames if not any(frame.filename.startswith(f"{own}{os.sep}") for own in OURS)]
    frame = (foreign or frames)[-1]
    return f"{'' if foreign else 'within ebmkit: '}{Path(frame.filename).name}, line {frame.lineno}"


def verdict(outcomes: Sequence[Outcome]) -> tuple[str, bool]:
    """Returns one line on all outcomes, and whether they are good: something ran, and nothing failed.

    >>> verdict([])
    ('0 of 0 checks ran: nothing was checked, which is a failure.', False)
    """
    ran, failed = _having(outcomes, "holds", "failed", "failed as expected"), _having(outcomes, "failed")
    expected, left = _having(outcomes, "failed as expected"), _having(outcomes, "not applicable")
    text = f"{len(ran)} of {len(outcomes)} checks ran"
    if nothing_ran(outcomes):
        what = "no part was" if ran else "nothing was"
        return f"{text}: {what} checked, which is a failure.{_reasons(left)}", False
    text += f": {len(failed)} failed" if failed else ": all hold" if not expected else ": no other failed"
    text += f", {len(expected)} as expected" if expected else ""
    return f"{text}.{_reasons(left)}", not failed


def nothing_ran(outcomes: Sequence[Outcome]) -> bool:
    """Whether no check ran, or those of declarations alone though parts were to be looked at."""
    ran = [found.check for found in outcomes if found.state != "not applicable"]
    return not ran or (len(ran) < len(outcomes) and all(check.of_declaration for check in ran))


def _having(outcomes: Iterable[Outcome], *states: State) -> list[Outcome]:
    return [found for found in outcomes if found.state in states]


def _reasons(left: Sequence[Outcome]) -> str:
    """Returns how many checks were not applicable, and why: each reason once."""
    counts: dict[str, int] = {}
    for found in left:
        counts[found.text] = counts.get(found.text, 0) + 1
    told = "; ".join(f"{reason} ({n})" if n > 1 else reason for reason, n in counts.items())
    return f" {len(left)} not applicable because: {told}." if left else ""
