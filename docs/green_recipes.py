"""Runs every shipped recipe, cut small, and writes the day and the versions into its `[about]`.

python docs/green_recipes.py               all of them
python docs/green_recipes.py da-rings ...  only these

How each is cut stands in docs/alarms_runs.py: narrower, smaller batches, data that stand in for sets that are not here.
A recipe that fails keeps the day on which it last ran, and the exit status is 1.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from alarms_measured import recipe_of
from alarms_parts import COMPONENTS
from alarms_runs import HEALTHY, Planned

import ebmkit
from ebmkit.plugins.host import host

STEPS = 10
RAN = f"{STEPS} steps, cut down by docs/green_recipes.py"
ABOUT = re.compile(r"^\[about\]\n(?:(?!\[).*\n)*", re.MULTILINE)


CORE = [f"{short}-{data}" for short in ("dsm", "ssm", "nce", "cnce") for data in ("moons", "fashion")]
ALSO = (
    Planned(command="--recipe chain-free-rings --set run.batch_size=100", steps=STEPS),
    Planned(command="--recipe staged-rings --set run.batch_size=100 --set stage.chain-free.steps=5", steps=STEPS),
    Planned(command="--recipe recovery-rings --set run.batch_size=50 --set sampler.mala.moves=5", steps=STEPS),
    Planned(command="--recipe recovery-fashion-cpu --set energy.widths=[64,32] --set run.batch_size=16", steps=STEPS),
    Planned(
        command="--recipe chain-free-fashion --data fashion-mini --set run.batch_size=16 --set pictures.n=2 "
        "--set sample.moves=1 --set energy.widths=[4,4,4] --set energy.hidden=16 --set energy.features=16",
        steps=STEPS,
    ),
    *(
        Planned(
            command=f"--recipe {name} --data fashion-mini --set run.batch_size=16 --set pictures.n=2 "
            "--set stage.chain-free.steps=5 --set buffer.capacity=16 --set sample.moves=1 --set energy.widths=[4,4,4] "
            "--set energy.hidden=16 --set energy.features=16",
            steps=STEPS,
        )
        for name in ("staged-fashion", "staged-fashion-long")
    ),
    *(Planned(command=f"--recipe {name} --set run.batch_size=100", steps=STEPS) for name in CORE),
    Planned(command="--recipe energy-discrepancy-rings --set run.batch_size=50", steps=STEPS),
    Planned(command="--recipe energy-discrepancy-ising --set run.batch_size=50", steps=STEPS),
    Planned(
        command="--recipe energy-discrepancy-fashion --set run.batch_size=16 --set energy.widths=[64,32]", steps=STEPS
    ),
    Planned(command="--recipe jem-moons --set run.batch_size=50 --set sampler.mala.moves=5", steps=STEPS),
    Planned(command="--recipe jem-fashion --set run.batch_size=8 --set sampler.sgld.moves=5", steps=STEPS),
)
"""Recipes whose alarms were not measured."""


def planned() -> dict[str, Planned]:
    """Returns name → cut-down run of every recipe that has one."""
    runs = [*HEALTHY, *ALSO]
    found = [(re.search(r"--recipe (\S+)", run.command), run) for run in runs]
    return {match[1]: replace(run, steps=STEPS) for match, run in found if match}


def ran(run: Planned) -> str:
    """Makes a run and loads what it wrote; returns why it failed, "" where it did not."""
    with TemporaryDirectory() as folder:
        try:
            ebmkit.run(recipe_of(run), Path(folder) / "run", note=lambda line: None)
            ebmkit.load(Path(folder) / "run")
        except Exception as error:  # whatever it is: the next recipe is run all the same
            return f"{type(error).__name__}: {error}"
    return ""


def entry(day: str, versions: str, maintainer: str) -> str:
    """Returns the table `[about]` of a recipe that has just run."""
    return f'[about]\nmaintainer = "{maintainer}"\nlast_green = {day}\nversion = "{versions}"\nran = "{RAN}"\n\n'


def dated(text: str, day: str, versions: str) -> str:
    """Returns the text of a recipe with a new day in `[about]`, which is put before the first table where it lacks."""
    before = ABOUT.search(text)
    named = re.search(r'^maintainer = "(.*)"$', before[0] if before else "", re.MULTILINE)
    fresh = entry(day, versions, named[1] if named else "The ebmkit authors")
    if before:
        return ABOUT.sub(lambda _: fresh, text, count=1)
    return re.sub(r"^\[", lambda _: f"{fresh}[", text, count=1, flags=re.MULTILINE)


def main() -> int:
    """Runs the recipes that were named, or all; returns 1 where one failed."""
    for component in COMPONENTS:
        ebmkit.register(component)
    plans, failed = planned(), False
    owners = dict(host().recipes())
    for name in sys.argv[1:] or owners:
        why = ran(plans[name]) if name in plans else "docs/alarms_runs.py does not say how to cut it"
        failed |= bool(why)
        sys.stdout.write(f"{name:<24} {why or 'green'}\n")
        sys.stdout.flush()
        if not why:
            path = Path(owners[name].recipes[name])
            theirs = owners[name].distribution
            also = "" if theirs == "ebmkit-core" else f"{theirs}, "
            with_ = f"{also}ebmkit-core {ebmkit.__version__}, torch {version('torch')}"
            day = datetime.now(UTC).date().isoformat()
            path.write_text(dated(path.read_text(encoding="utf-8"), day, with_), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
