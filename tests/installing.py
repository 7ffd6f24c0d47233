"""Packages as a user installs them: wheels, built and installed without network."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent


def environment(*paths: Path) -> dict[str, str]:
    """Returns an environment in which a subprocess finds this repository, and these paths first."""
    found = [*map(str, paths), str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(found)}


def run(command: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    """Returns what a command prints, which must succeed."""
    done = subprocess.run(list(command), cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def install(site: Path, *packages: Path) -> None:
    """Installs packages into a folder: as wheels where their build backend is there, else as pip would leave them."""
    # to look pip up as a module would take setuptools' own distutils away from whoever imports it later
    installed = {(distribution.name or "").lower() for distribution in distributions()}
    if not {"hatchling", "pip"} <= installed:
        for package in packages:
            _as_pip_leaves_it(package, site)
        return
    wheels = site.parent / "wheels"
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check", "--quiet"]
    pip = [sys.executable, "-m", "pip"]
    places = [str(package) for package in packages]
    run([*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), *places], site.parent)
    run([*pip, "install", *offline, "--target", str(site), *map(str, wheels.iterdir())], site.parent)


def _as_pip_leaves_it(package: Path, site: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    facts.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {need}\n" for need in project["dependencies"])
    named = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    (facts / "METADATA").write_text(named, encoding="utf-8")
    points = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["ebmkit"].items())
    (facts / "entry_points.txt").write_text(f"[ebmkit]\n{points}\n", encoding="utf-8")
    for folder in (package / "src").iterdir():
        folder.rename(site / folder.name)
