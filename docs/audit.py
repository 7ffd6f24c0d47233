"""The measured part of docs/audit.md: published samplers under the laws of `ebmkit.testing`, and how biased they are.

Run: python docs/audit.py           prints the table; with --write it goes into the page, and the picture is drawn
     pip install blackjax           first, for the controls of another project; without it they are left out

About 5 minutes of CPU time, 2 of them blackjax's compiler.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean, stdev

import torch
from audit_samplers import PUBLISHED, RIGHT

from ebmkit import BuildContext, Component, Point, view
from ebmkit.plugins.host import host
from ebmkit.testing import checks_for, outcome
from ebmkit.testing.examined import Examined
from ebmkit.testing.law import seeded
from ebmkit.testing.targets import LAWS

PAGE, PICTURE = Path(__file__).parent / "audit.md", Path(__file__).parent / "images" / "audit.png"
MARKS = ("<!-- measured -->\n", "<!-- end of measured -->")
D, WIDTH = 10, 2.0
"""The Gaussian on which biases are measured: ten independent entries of this s.d."""

LOOKED_AT = (*(f"law-{law.name}" for law in LAWS), "temperature", "rows")
"""The checks that decide: what is sampled, and whether chains are independent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A published sampler.

    Attributes:
        name: of its double.
        usual: settings in a usual range.
        hides: settings under which nothing shows.
        why: what these are.
        batch: chains that are moved together, at the usual settings and at the others.
    """

    name: str
    usual: dict[str, float]
    hides: dict[str, float]
    why: str
    batch: tuple[int, int] = (500, 500)


LONG = {"step_size": 2.5}
"""A leapfrog step of which every second proposal is accepted."""

CASES = (
    Case(name="half-square", usual={"step_size": 0.2}, hides={"step_size": 1.0}, why="s = 1"),
    Case(name="two-h-square", usual={"step_size": 0.2}, hides={"step_size": 2.0}, why="h = s²/2 = 2"),
    Case(name="old-momentum", usual=LONG, hides={**LONG, "kept": 0.0}, why="c = 0"),
    Case(name="forgotten-flip", usual=LONG, hides={**LONG, "kept": 0.0}, why="c = 0"),
    Case(name="one-decision", usual={"step_size": 1.0}, hides={"step_size": 1.0}, why="a batch of 1", batch=(256, 1)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What some seeds found.

    Attributes:
        squares: of each seed, mean x² over σ²: 1 where the law is right.
        acceptance: mean.
    """

    squares: tuple[float, ...]
    acceptance: float

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return mean(self.squares)

    @property
    def error(self) -> float:
        """Its standard error."""
        return stdev(self.squares) / len(self.squares) ** 0.5

    def __str__(self) -> str:
        """Says it with its error."""
        digits = 3 if self.value < 10 else 1
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def half_norm(point: Point) -> torch.Tensor:
    """The energy ‖x‖²/2σ² [B], nats."""
    return point.x.square().sum(dim=1) / (2 * WIDTH**2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How a bias is measured.

    Attributes:
        n: chains that are moved together.
        moves: of each; means are over the last quarter.
        n_seeds: repetitions.
        cold: start at 0; else in the law.
    """

    n: int = 500
    moves: int = 1000
    n_seeds: int = 5
    cold: bool = False


def measured(part: Component, settings: dict[str, float], how: Run = Run()) -> Measured:
    """Returns E x²/σ² of a sampler in the long run."""
    sampler = Examined(component=part, settings=settings).built(BuildContext(event_shape=(D,)))
    squares, rates = [], []
    for seed in range(how.n_seeds):
        x = WIDTH * torch.randn(how.n, D, generator=seeded(seed))
        state = sampler.init(Point(x=0 * x if how.cold else x), seeded(100 + seed))
        seen, total = view(half_norm), []
        for i in range(how.moves):
            state, info = sampler.step(seen, state)
            if i >= how.moves - how.moves // 4:
                total.append(float(state.point.x.square().mean()) / WIDTH**2)
                rates.append(float(info.accept_rate.mean()))
        squares.append(mean(total))
    return Measured(squares=tuple(squares), acceptance=mean(rates))


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What the kit says of a sampler.

    Attributes:
        ran: checks that looked.
        failed: check → what was found.
    """

    ran: int
    failed: dict[str, str] = field(default_factory=dict)


def found(part: Component, names: Sequence[str] = LOOKED_AT) -> Found:
    """Returns which laws a sampler breaks."""
    wanted = [check for check in checks_for(part) if check.name.split("/")[1] in names]
    outcomes = [outcome(check) for check in wanted]
    failed = {o.check.name.split("/")[1]: o.text.split("found: ")[1] for o in outcomes if o.state == "failed"}
    return Found(ran=sum(o.state != "not applicable" for o in outcomes), failed=failed)


def off(text: str) -> str:
    """Returns of a message what is off, and by how much."""
    if "later " in text:
        return text.split("later ", 1)[1].split(", where", 1)[0].replace(" and must be ", ", must be ")
    if "no chain moved" in text:
        return text.split(" on ")[0]
    if "share random numbers" in text:
        return f"chains share random numbers, {text.split('(')[1].split(')')[0]}"
    return "chains end elsewhere when the others start elsewhere"


# --- the table


@cache
def controls() -> tuple[Component, ...]:
    """Returns what must pass: the same moves without a fault, our own samplers, blackjax's where it is installed."""
    own = tuple(host().get("sampler", name) for name in ("mala", "hmc", "nuts"))
    if importlib.util.find_spec("blackjax") is None:
        return (*RIGHT, *own)
    from audit_blackjax import CONTROLS

    return (*RIGHT, *own, *CONTROLS)


def row_of(case: Case) -> str:
    """Returns a published sampler's line of the table."""
    part = next(part for part in PUBLISHED if part.name == case.name)
    said = found(part)
    name, text = next(iter(said.failed.items()), ("none", ""))
    cold = case.batch != (500, 500)
    usual, hides = (
        measured(part, settings, Run(n=n, cold=cold, n_seeds=5 if n > 1 else 50))
        for settings, n in zip((case.usual, case.hides), case.batch, strict=True)
    )
    return (
        f"| `{case.name}` | {len(said.failed)} of {said.ran} | `{name}`: {off(text)} | {usual} | "
        f"{100 * usual.acceptance:.0f} % | {case.why}: {hides} |"
    )


def row_of_control(part: Component) -> str:
    """Returns the line of one that must pass."""
    said = found(part)
    name = part.name if part.build.startswith("audit") else f"ebmkit's {part.name}"
    settings = (
        {"step_size": 1.0, "moves": 1} if name.startswith("ebmkit") and part.name != "hmc" else {"step_size": 1.0}
    )
    usual = measured(part, settings, Run(moves=400))
    verdict = "; ".join(f"`{check}`: {off(text)}" for check, text in said.failed.items()) or "–"
    return f"| {name} | {len(said.failed)} of {said.ran} | {verdict} | {usual} | {100 * usual.acceptance:.0f} % | |"


def table() -> str:
    """Returns the table in Markdown."""
    lines = [
        "| sampler | checks that fail | the first of them: what is off | E x²/σ², must be 1 | accepted | hidden by |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(row_of, CASES), *map(row_of_control, controls())]) + "\n"


def main() -> None:
    """Prints the table; writes page and picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help="put the table into docs/audit.md and draw its picture")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    text = table()
    print(text)  # noqa: T201
    if asked.write:
        from audit_picture import draw

        before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
        PAGE.write_text(before + MARKS[0] + text + MARKS[1] + rest.split(MARKS[1], 1)[1], encoding="utf-8")
        draw(PICTURE)


if __name__ == "__main__":
    main()
