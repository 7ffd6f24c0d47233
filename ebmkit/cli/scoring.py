"""`score`: a value for each datum of a set, and whether a run takes it for out of distribution, as a table."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.out_file import check_out
from ebmkit.cli.training import PluginFiles, importing_torch, load_files
from ebmkit.cli.training import option as _option
from ebmkit.display.doing import doing
from ebmkit.display.output import remark, say

if TYPE_CHECKING:
    from ebmkit.metrics.detection.detector import Detector
    from ebmkit.metrics.detection.scored import Scored
    from ebmkit.sampling.model import Model


def score(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or pretrained:NAME.")],
    data: Annotated[str, _option("NAME[:ARGUMENT]", "As in mnist:FOLDER, npz:FILE, folder:DIR.", "--data")],
    out: Annotated[Path, _option("FILE", "A .csv table: row, score, flagged, label; overwritten.", "--out")],
    fpr: Annotated[float, _option("SHARE", "Of in-distribution data to be flagged, at most.", "--fpr")] = 0.05,
    by: Annotated[
        str | None,
        _option("NAME", "energy, gradient-norm, …; unset, of images feature-distance, else energy.", "--score"),
    ] = None,
    n: Annotated[int | None, _option("N", "Data, chosen at random; unset, all.", "-n", min=1)] = None,
    seed: Annotated[int | None, _option("N", "Of all choices; unset, the recipe's.", min=0)] = None,
    device: Annotated[str | None, _option("DEVICE", "Another device than the run's.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Gives each datum of a set a value, higher out of distribution, and flags it above a threshold.

    The threshold is calibrated on held-out data of the run, of which it flags the share of --fpr. Averaged weights are
    used.
    """
    check_out(out, (".csv",))
    load_files(plugin)
    with importing_torch():
        from ebmkit.metrics.detection.detector import detector

        found = detector(_model(directory, device), fpr=fpr, score=by, seed=seed)
        scored = found.scored(data, n)
        doing(f"writing {out}")
        write_table(out, scored)
    for line in summary(out, found, scored):
        say(line)
    calibration = (f"Calibration: {note}." for note in found.notes)
    for note in filter(None, (*scored.notes, *calibration, scored.verdict)):
        remark(note)


COMMANDS: dict[str, Callable[..., None]] = {"score": score}


def write_table(out: Path, scored: Scored) -> None:
    """Writes a line for each datum: its row in the set, its value to the last digit, 1 where it is flagged, its label.

    There is no column of labels where the set has none.
    """
    from ebmkit.runs.files.whole import written_whole

    columns = {"row": scored.rows.tolist(), "score": [repr(value) for value in scored.scores.tolist()],
               "flagged": scored.flagged.int().tolist()}  # fmt: skip
    if scored.labels is not None:
        columns["label"] = scored.labels.tolist()
    with written_whole(out) as path, path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))


def summary(out: Path, found: Detector, scored: Scored) -> tuple[str, str]:
    """Returns how many data were flagged, and what the threshold is and where it is from."""
    flagged = int(scored.flagged.sum())
    return (
        f"{out}: {len(scored.rows):,} data, {flagged:,} flagged ({100 * scored.share:.1f} % ± "
        f"{100 * scored.share_error:.1f} %) by {found.score.name} > {found.threshold:.6g} {found.score.unit}",
        f"threshold: {found.convention}; fpr = {found.fpr:g}, n = {found.n:,} {found.origin}",
    )


def _model(directory: Path, device: str | None) -> Model:
    from ebmkit.assembly.device import choose_device
    from ebmkit.runs.loaded import load

    if device is not None:
        choose_device(device)
    return load(directory, device=device).model
