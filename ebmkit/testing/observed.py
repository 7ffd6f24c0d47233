"""A run as it is told to an observer: its start, logged steps, an alarm, a picture, an evaluation, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from PIL import Image

from ebmkit.assembly.members import check_members
from ebmkit.evaluation.evaluate import evaluate
from ebmkit.evaluation.record import Evaluation
from ebmkit.plugins.context import BuildContext
from ebmkit.plugins.host import host
from ebmkit.plugins.loading import describe
from ebmkit.recipes.recipe import Recipe
from ebmkit.runs.watch.told import Described, Ended, Reported, reported
from ebmkit.testing.check import CheckFailed
from ebmkit.testing.examined import Examined
from ebmkit.testing.models import model_of
from ebmkit.testing.scored import made
from ebmkit.training.alarms.alarms import Finding
from ebmkit.training.alarms.table import ALARMS
from ebmkit.training.step import train_step

How = Literal["finished", "interrupted", "failed"]

STEPS = 3
CD = "cd"


@contextmanager
def place(kept: bool) -> Iterator[tuple[Path, Path | None]]:
    """Gives an empty working directory, and the directory of a run within it; None where the run is kept in memory.

    Global settings and the global stream of torch are put back at the end: the next check finds them as they were.
    """
    with TemporaryDirectory() as folder, chdir(folder), flags_kept(), torch.random.fork_rng(devices=[]):
        here = Path(folder).resolve()
        run = here / "runs" / "kit" if kept else None
        if run is not None:
            run.mkdir(parents=True)
        yield here, run


def built(part: Examined) -> Any:
    """Returns the observer."""
    observer = part.built(BuildContext(event_shape=(2,), batch_size=16))
    check_members("observer", part.component.name, observer)
    return observer


def run_in(directory: Path | None, first_step: int = 1) -> Described:
    """Returns what is told of a run."""
    recipe: Recipe = deepcopy(model_of("plane").recipe)
    return Described(directory=directory, recipe=recipe, first_step=first_step, steps=first_step + STEPS - 1)


def reports() -> Sequence[Reported]:
    """Returns logged steps, with tensors as a run tells them; new ones each time, for an observer may write there."""
    parts, batch = made(Examined(component=host().get("objective", CD)))
    found = []
    for step in range(1, STEPS + 1):
        report = train_step(parts, batch, step, {}, update=lambda losses: None)
        named = {**{f"loss.{k}": v for k, v in report.losses.items()}, **report.metrics}
        found.append(reported(report, {name: float(value) for name, value in named.items()}))
    return found


def tell(observer: Any, run: Described, *, steps: Sequence[Reported], how: How = "finished") -> None:
    """Tells an observer of a whole run, with all that it wants to know.

    Raises:
        CheckFailed: one of its methods raises.
    """
    error = None if how == "finished" else RuntimeError("made up by a check")
    where = "in memory (run.directory is None)" if run.directory is None else "in a directory"
    _call(where, "start", lambda: observer.start(run))
    for report in steps:
        _call(where, "step", partial(observer.step, report, run))
    for method, told in _more(run).items() if steps else ():
        if hasattr(observer, method):
            _call(where, method, partial(getattr(observer, method), *told(), run))
    ending = Ended(how=how, step=steps[-1].step if steps else 0, error=error)
    after = "" if steps else ", before a step was logged"
    _call(where, "end", lambda: observer.end(run, ending), f" of a run that {how}{after}")


def _more(run: Described) -> dict[str, Callable[[], tuple[Any, ...]]]:
    """Returns what those observers are told that ask for it; a picture, where there is a directory."""
    alarm = next(alarm for alarm in ALARMS if alarm.measure is not None)
    told: dict[str, Callable[[], tuple[Any, ...]]] = {
        "alarm": lambda: (Finding(step=2, alarm=alarm, kind="warning", value=1.0, signals={}),),
        "evaluation": lambda: (_evaluation(),),
    }
    if run.directory is not None:
        told["picture"] = lambda: (_picture(run), 2)
    return told


@cache
def _evaluation() -> Evaluation:
    return evaluate(model_of("plane"), "ood", n=50, n_data=50, transitions=1)


def _picture(run: Described) -> Path:
    assert run.directory is not None
    path = run.directory / "samples" / "step-00000002.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("L", (8, 8)).save(path)
    return path


def _call(where: str, method: str, act: Callable[[], object], of: str = "") -> None:
    try:
        act()
    except (Exception, SystemExit) as error:  # a stranger's code may raise anything
        raise CheckFailed(
            f"its {method}{of} failed in a run kept {where}: {describe(error)}. A run that it watches would end there: "
            "take every value that the protocol allows."
        ) from error


@contextmanager
def flags_kept() -> Iterator[Callable[[], str]]:
    """Gives a function that says which of torch's global settings are others now; puts them back at the end."""
    before = _flags()

    def changed() -> str:
        now = _flags()
        return next((f"{name} from {before[name]} to {now[name]}" for name in before if before[name] != now[name]), "")

    try:
        yield changed
    finally:
        for name, (_, put_back) in FLAGS.items():
            if before[name] != _flags()[name]:
                put_back(before[name])


def _flags() -> dict[str, Any]:
    return {name: read() for name, (read, _) in FLAGS.items()}


FLAGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "deterministic algorithms": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "anomaly mode": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "matmul precision": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
}
"""Name of a global setting of torch's → what reads it, and what sets it."""
