"""Damaged bytes in every file of a run, and of its data: each must be named when the run goes on."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

import ebmkit
from ebmkit.display.output import say
from ebmkit.errors import EbmkitError
from ebmkit.runs.checkpoints.checkpoint import latest, load
from tests.soak.families import COMMON, RUN
from tests.soak.forked import Whole, finished, held, make
from tests.soak.formats import DATA
from tests.soak.parallel import each

STOP = 5
"""Step at which the runs that are damaged had been stopped, in the middle of two checkpoints."""

GOOD = ("named", "made anew")


def damages(n: int, seed: int, folder: Path, made: Sequence[Whole], jobs: int) -> str:
    """Damages n files of runs that were stopped half-way, one at a time, and goes on with the run."""
    places = [(whole, half(whole, folder), path) for whole in made for path in _files(half(whole, folder))]
    random.Random(seed).shuffle(places)
    trials = [(*places[i % len(places)], folder / f"damage-{i}", f"{seed} {i}") for i in range(n)]
    ends = list(each(damaged, trials, jobs))
    kinds = Counter(end if end in GOOD else "silent" for end in ends)
    for end in ends:
        if end not in GOOD:
            say(f"  SILENT: {end}")
    return (
        f"{kinds['named']} of {n} named, in {len(places)} files of {len(made)} runs and their data; "
        f"{kinds['made anew']} in lines after the checkpoint, which the run makes anew, bit-equal; "
        f"{kinds['silent']} silent or not foreseen"
    )


def damaged(whole: Whole, before: Path, path: Path, place: Path, seed: str) -> str:
    """Damages one file of a copy and goes on with the run; returns "named", "made anew", or what went wrong."""
    shutil.copytree(before, place)
    file, told = place / path, list[str]()
    at = spoil(file, random.Random(seed))
    try:
        with chdir(place):
            make(whole.recipe, Path("run"), told.append)
    except EbmkitError as error:
        told.append(str(error))
    except Exception as error:  # what the command would call not foreseen
        return f"{place}: {path}: {type(error).__name__}: {error}"
    if any(path.name in text for text in told):
        shutil.rmtree(place)
        return "named"
    run, name = place / "run", path.relative_to(path.parts[0]).as_posix()
    sealed = load(latest(before / "run")).beside.get(name) if path.parts[0] == "run" else None
    is_later = sealed is not None and at >= sealed.size
    if is_later and finished(run) and held(run) == held(whole.directory):
        shutil.rmtree(place)
        return "made anew"
    return f"{place}: {path}, byte {at}: {told}"


def half(whole: Whole, folder: Path) -> Path:
    """Returns a folder with a run that stopped between its second and its third checkpoint, and its data."""

    def stop(progress: Any) -> None:
        if progress.step == STOP:
            raise KeyboardInterrupt

    place = folder / "half" / whole.name
    if not place.exists():
        place.mkdir(parents=True)
        if (data := whole.directory.parent / DATA).exists():
            shutil.copytree(data, place / DATA)
        with chdir(place), suppress(KeyboardInterrupt):
            ebmkit.run(whole.recipe, Path("run"), watch=stop, note=lambda text: None)
    return place


def on_files(folder: Path, written: Sequence[Callable[[Path], dict[str, Any]]]) -> list[Whole]:
    """Writes a data set in each of some formats, and makes a whole run on it."""
    found = []
    for write in written:
        place = folder / "whole" / write.__name__
        (place / DATA).mkdir(parents=True)
        energy = {"use": "resnet", "widths": [4, 8], "hidden": 8}
        sampler = [{"use": "sgld", "moves": 2}]
        recipe = {**COMMON, "run": RUN, "data": write(place / DATA), "energy": energy, "sampler": sampler}
        with chdir(place):
            make(recipe, Path("run"))
        found.append(Whole(name=write.__name__, recipe=recipe, directory=place / "run", seconds=0.0, operations=0))
    return found


def spoil(path: Path, rng: random.Random) -> int:
    """Changes bytes of a file, cuts it, or fills a block of it with zeros; returns the first byte that differs."""
    data, before = bytearray(path.read_bytes()), path.read_bytes()
    while bytes(data) == before:
        at, how = rng.randrange(len(data)), rng.random()
        if how < 0.6:
            data[at] ^= 1 << rng.randrange(8)
        elif how < 0.8:
            data = data[:at]
        else:
            data[at : at + 64] = bytes(len(data[at : at + 64]))
    path.write_bytes(data)
    return next((i for i, (old, new) in enumerate(zip(before, data, strict=False)) if old != new), len(data))


def _files(place: Path) -> list[Path]:
    return sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file() and path.stat().st_size)
