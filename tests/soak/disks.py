"""Two writers, and disks that are full, read-only or gone."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ebmkit
from ebmkit.display.output import say
from ebmkit.errors import EbmkitError
from tests.soak.forked import Whole, ended, forked, held, make


def writers(n: int, folder: Path, made: Sequence[Whole]) -> str:
    """Starts n times three processes on one directory at once."""
    alone = 0
    for trial in range(n):
        whole, directory = made[trial % len(made)], folder / f"writers-{trial}" / "run"
        pids = [forked(lambda whole=whole, directory=directory: make(whole.recipe, directory)) for _ in range(3)]  # type: ignore[misc]
        statuses = sorted(ended(pid) for pid in pids)
        alone += statuses.count(0) >= 1 and set(statuses) <= {0, 1, 2} and held(directory) == held(whole.directory)
    return f"{alone} of {n} directories with three writers at once: one run, the others refused"


def disks(folder: Path, made: Sequence[Whole]) -> str:
    """Fills the disk under a run, makes it read-only, and takes the directory away; then goes on."""
    well, tried = 0, 0
    for whole in made:
        for trouble in ("full", "read-only", "gone"):
            place = folder / f"disk-{whole.name}-{trouble}"
            place.mkdir()
            small = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place]
            if trouble != "gone" and subprocess.run(small).returncode:
                continue
            tried += 1
            try:
                well += disk(whole, trouble, place)
            finally:
                if trouble != "gone":
                    subprocess.run(["umount", place], check=True)
    return f"{well} of {tried} full, read-only and vanished directories: one message, and the run goes on bit-equal"


def disk(whole: Whole, trouble: str, place: Path) -> bool:
    """Gets one run into trouble half-way, and returns whether all went well."""
    directory, elsewhere = place / "run", place / "elsewhere"

    def watch(progress: Any) -> None:
        if progress.step != 5:
            return
        if trouble == "read-only":
            raise KeyboardInterrupt  # a disk that is written to cannot be made so
        if trouble == "gone":
            directory.rename(elsewhere)
            return
        with suppress(OSError), (place / "filler").open("wb") as file:
            while True:
                file.write(bytes(2**16))

    try:
        with suppress(KeyboardInterrupt):
            ebmkit.run(whole.recipe, directory, watch=watch, note=lambda text: None)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        make(whole.recipe, directory)
        return False
    except EbmkitError as error:
        if error.exit_status != 1:
            say(f"  status {error.exit_status}: {error}")
            return False
    if trouble == "gone":
        elsewhere.rename(directory)
    elif trouble == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    else:
        (place / "filler").unlink()
    make(whole.recipe, directory)
    return held(directory) == held(whole.directory)
