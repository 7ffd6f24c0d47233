"""Observers that break one promise each, and right ones beside them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import torch

from ebmkit import BuildContext, Component, NoConfig

HERE = "tests.testing.doubles_of_observers"


class Right:
    """It writes a table into the directory of the run, or keeps it."""

    def __init__(self, config: NoConfig, context: BuildContext) -> None:
        self.rows: list[str] = []

    def start(self, run: Any) -> None:
        self.rows.append(f"{run.name} {run.first_step}")

    def step(self, report: Any, run: Any) -> None:
        self.rows.append(f"{report.step} {report.values.get('loss.cd.gap')}")

    def end(self, run: Any, ending: Any) -> None:
        self.rows.append(ending.how)
        if run.directory is not None:
            (run.directory / "table.txt").write_text("\n".join(self.rows))


class Full(Right):
    """It is told everything that there is."""

    def alarm(self, found: Any, run: Any) -> None:
        self.rows.append(f"{found.step} {found.name} {found.text}")

    def picture(self, path: Path, step: int, run: Any) -> None:
        self.rows.append(f"{step} {path.stat().st_size}")

    def evaluation(self, found: Any, run: Any) -> None:
        self.rows.append(str(found))


class Homeless(Right):
    """Every run has a directory, it believes."""

    def step(self, report: Any, run: Any) -> None:
        (run.directory / "step.txt").write_text(str(report.step))


class Alarmist(Right):
    def alarm(self, found: Any, run: Any) -> None:
        raise RuntimeError(found.name)


class Hasty(Right):
    """Every run has made a step, it believes."""

    def end(self, run: Any, ending: Any) -> None:
        self.rows[1] += ending.how


class Once(Right):
    """No run goes on, it believes."""

    def start(self, run: Any) -> None:
        if run.directory is not None:
            (run.directory / "once.txt").open("x").close()


class Writing(Right):
    def step(self, report: Any, run: Any) -> None:
        report.phases.negative.x.data.mul_(0.5)


class Tidy(Right):
    """It takes out of the values what it does not want."""

    def step(self, report: Any, run: Any) -> None:
        report.values.pop("loss.cd.gap", None)


class Sampling(Right):
    def step(self, report: Any, run: Any) -> None:
        report.phases.positive.x[torch.randperm(len(report.phases.positive))[:4]].mean()


class Switching(Right):
    def start(self, run: Any) -> None:
        torch.set_grad_enabled(False)


class Nudging(Right):
    """It makes the weights smaller, as a decay would."""

    def step(self, report: Any, run: Any) -> None:
        for parameter in report.phases._energy.parameters():
            parameter.data.mul_(0.9)


class Hurried(Right):
    """Whoever is told of two runs writes the same twice: nothing is left to be seen of it the second time."""

    def start(self, run: Any) -> None:
        torch.set_num_threads(torch.get_num_threads() % 2 + 2)


class Blanking(Right):
    def step(self, report: Any, run: Any) -> None:
        report.phases.positive.x.zero_()


class Sleeping(Right):
    def step(self, report: Any, run: Any) -> None:
        report.phases._energy.eval()


class Shortening(Right):
    def start(self, run: Any) -> None:
        run.recipe.tables["run"]["steps"] = 1


class Littering(Right):
    def end(self, run: Any, ending: Any) -> None:
        Path("table.txt").write_text("\n".join(self.rows))


class Lingering(Right):
    """A thread of it sends what it has been told, and is never told that this is over."""

    def start(self, run: Any) -> None:
        threading.Thread(target=time.sleep, args=(1.5,), name="sender").start()


build_right, build_full, build_homeless, build_alarmist, build_hasty = Right, Full, Homeless, Alarmist, Hasty
build_once, build_writing, build_tidy, build_sampling, build_switching = Once, Writing, Tidy, Sampling, Switching
build_hurried, build_blanking, build_sleeping, build_shortening = Hurried, Blanking, Sleeping, Shortening
build_nudging, build_littering, build_lingering = Nudging, Littering, Lingering


def build_nothing(config: NoConfig, context: BuildContext) -> None:
    return None


def part(name: str, **more: Any) -> Component:
    build = f"{HERE}:build_{name}"
    return Component(kind="observer", name=f"{name}-double", build=build, summary="a double", **more)


RIGHT = (part("right"), part("full"))
WRONG: tuple[tuple[Component, str, str], ...] = (
    (part("homeless"), "told", r"its step failed in a run kept in memory \(run.directory is None\): TypeError"),
    (part("alarmist"), "told", "its alarm failed in a run kept in a directory: RuntimeError.*take every value"),
    (part("nothing"), "told", "has no `start`.*add it to the class"),
    (part("hasty"), "ends", "its end of a run that failed, before a step was logged failed .* IndexError"),
    (part("once"), "ends", "its start failed in a run kept in a directory: FileExistsError"),
    (part("writing"), "touches", "wrote into 'step 1: negative.x'.*work on copies"),
    (part("tidy"), "touches", "changed the values of a report. Work on a copy"),
    (part("sampling"), "touches", "torch's global random stream.*a generator of its own"),
    (part("switching"), "touches", "changed torch's grad mode from True to False.*Leave it as it was"),
    (part("hurried"), "touches", "changed torch's number of threads"),
    (part("blanking"), "touches", "wrote into .*'step 1: positive.x'"),
    (part("sleeping"), "touches", "changed the mode of the energy"),
    (part("shortening"), "touches", "changed the recipe of the run"),
    (part("nudging"), "run", "ends otherwise than the same run without it.*changes nothing of it"),
    (part("littering"), "files", "wrote table.txt beside the directory of the run.*Write below run.directory"),
    (part("lingering"), "threads", "its thread 'sender' goes on.*Finish and join it in `end`"),
)
"""Double, the promise that it breaks, and what the message must say."""
