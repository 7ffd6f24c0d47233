"""What a number depends on beside the recipe."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ebmkit.plugins.host import host
from ebmkit.recipes.recipe import Recipe

CORE = "core"
"""Name of the plugin that core is; where its parts come from needs no mention."""

PACKAGES = ("ebmkit-core", "torch", "numpy", "kornia", "pydantic", "safetensors")


def environment(device: torch.device, seed: int, packages: Sequence[str] = PACKAGES) -> dict[str, object]:
    """Returns what a number depends on beside the recipe, with the versions of the packages that are installed."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "versions": versions(packages),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "seed": seed,
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Returns the versions of those packages that are installed."""
    return {name: found for name in packages if (found := _version(name))}


def origins(recipe: Recipe) -> dict[str, str]:
    """Returns "KIND NAME" → package and version of every part of a recipe that is not core's own.

    It is kept with a run, so that whoever lacks a package can be told which.
    """
    used = set(recipe.named())
    found = ((part, plugin) for part, plugin in host().all() if (part.kind, part.name) in used)
    return {f"{part.kind} {part.name}": plugin.distribution for part, plugin in found if plugin.name != CORE}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit(package: Path = Path(__file__).parents[1]) -> str:
    """Returns the commit of the checkout whose source this package is, "" where it is installed in another's."""
    asked = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        found = subprocess.run(asked, cwd=package, capture_output=True, text=True, timeout=5, check=True)
        top, commit = found.stdout.splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return commit if Path(top, package.name).resolve() == package.resolve() else ""
