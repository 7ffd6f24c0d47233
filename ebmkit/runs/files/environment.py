"""What a number depends on beside the recipe."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ebmkit.plain_files import read_json
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
        "device_name": _device_name(device),
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "seed": seed,
    }


def tell_changes(directory: Path, device: torch.device, note: Callable[[str], None]) -> None:
    """Tells what a run that goes on now depends on, and was begun with otherwise."""
    try:
        begun = read_json(directory / "environment.json")
        torch_then = begun["versions"]["torch"]
        then = {"threads": begun["threads"], "torch": torch_then, "device": begun["device_name"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        note(f"What the run was begun with cannot be read ({directory / 'environment.json'}: {error!r}).")
        return
    own = {"threads": torch.get_num_threads(), "torch": versions()["torch"], "device": _device_name(device)}
    changed = [f"{name} {then[name]}, now {own[name]}" for name in then if then[name] != own[name]]
    if changed:
        note(
            f"This run was begun with {'; '.join(changed)}. It goes on; its numbers may differ in their last digits "
            "from those of a run that had not stopped."
        )


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


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


def _commit(package: Path = Path(__file__).parents[2]) -> str:
    """Returns the commit of the checkout whose source this package is, "" where it is installed in another's."""
    asked = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        found = subprocess.run(asked, cwd=package, capture_output=True, text=True, timeout=5, check=True)
        top, commit = found.stdout.splitlines()
    except (OSError, subprocess.SubprocessError, ValueError):
        return ""
    return commit if Path(top, package.name).resolve() == package.resolve() else ""
