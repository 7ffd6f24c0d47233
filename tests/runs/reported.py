"""Run directories made by hand, as a run would leave them, or as it should not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

RECIPE = """
resolved = true

[run]
steps = 40
temperature = 1.0
seed = 3

[data]
use = "toy"
density = "moons"

[energy]
use = "mlp"
widths = [8, 8]

[[sampler]]
use = "mala"
moves = 2

[[objective]]
use = "cd"
"""
HOSTILE = '<img src=x onerror="alert(1)"> & \x1b[31m\x00 </style><script>alert(2)</script>'


def metrics(n: int = 40, **more: float) -> list[dict[str, Any]]:
    return [
        {"step": step, "gap": 1 / step, "energy_positive": 1.0, "energy_negative": 1 - 1 / step,
         "loss.cd.gap": 1 / step, "loss.cd.other": 2.0, "chain_accept_rate": 0.6, "level.0.share": 0.6,
         "level.1.share": 0.4, "gradient_norm.energy": 10.0**-step, **more}
        for step in range(1, n + 1)
    ]  # fmt: skip


def evaluation(step: int, value: float = 1.0, error: float | None = 0.1, word: str = "fd") -> dict[str, Any]:
    def number(v: float, better: str = "") -> dict[str, Any]:
        return {"value": v, "error": error, "n": 100, "better": better, "unit": "nats"}

    crossed = {
        f"{s}, {score}: {c}": number(0.5 + 0.1 * i, "higher")
        for s in ("noise", "mnist")
        for i, score in enumerate(("energy", "level-0"))
        for c in ("AUROC", "AUPR")
    }
    judged = {
        "name": word, "settings": {"features": word}, "cite": "", "definition": f"the {word} of {word}", "seconds": 1.0,
        "estimates": {word: number(value, "lower"), **crossed}, "notes": [f"note of {word}"],
        "histograms": {word: {"edges": [0.0, 1.0, 2.0], "counts": {word: [3, 4]}}},
        "pictures": {word: "drawn.png", "away": "../../samples/step-00000040.png"},
    }  # fmt: skip
    return {
        "version": 1, "step": step, "seed": 0, "n": 100, "n_data": 200, "weights": "averaged", "sampling": word,
        "notes": [word], "failures": {"ais": word}, "seconds": 2.0, "versions": {"torch": "2"}, "metrics": [judged],
    }  # fmt: skip


def a_run(
    directory: Path,
    *,
    recipe: str = RECIPE,
    logged: Iterable[Mapping[str, Any]] | None = None,
    alarms: Iterable[Mapping[str, Any]] = (),
    evaluations: Iterable[Mapping[str, Any]] = (),
    environment: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a run that has no weights."""
    for folder in (directory, directory / "samples", directory / "evaluation"):
        folder.mkdir(parents=True, exist_ok=True)
    (directory / "recipe.toml").write_text(recipe, encoding="utf-8")
    (directory / "metrics.jsonl").write_text(lines(metrics() if logged is None else logged), encoding="utf-8")
    (directory / "alarms.jsonl").write_text(lines(alarms), encoding="utf-8")
    told = {"python": "3", "device": "cpu", "versions": {"torch": "2"}} if environment is None else environment
    (directory / "environment.json").write_text(json.dumps(told), encoding="utf-8")
    for step in (10, 20, 40):
        Image.new("L", (24, 24), step).save(directory / "samples" / f"step-{step:08d}.png")
    Image.new("RGB", (8, 8)).save(directory / "evaluation" / "drawn.png")
    for i, found in enumerate(evaluations):
        name = f"step-{found['step']:08d}{f'-{i + 1}' if i else ''}.json"
        (directory / "evaluation" / name).write_text(json.dumps(found), encoding="utf-8")
    return directory


def lines(entries: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)
