"""Packages that are installed and used in processes of their own, as a person does it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def environment(*paths: Path) -> dict[str, str]:
    """Returns an environment in which a subprocess finds this repository, and these paths first."""
    found = [*map(str, paths), str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(found)}


def run(command: list[str], cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def ebmkit(words: str, cwd: Path, env: dict[str, str]) -> str:
    return run([sys.executable, "-m", "ebmkit", *words.split()], cwd, env)


def install(site: Path, *packages: Path) -> None:
    """Installs packages into a folder: with pip where their build backend is there, else as pip would leave them."""
    if importlib.util.find_spec("hatchling") and importlib.util.find_spec("pip"):
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
        pip = [sys.executable, "-m", "pip", "install"]
        run([*pip, *offline, "--target", str(site), *map(str, packages)], packages[0], dict(os.environ))
        return
    for package in packages:
        _laid_out(package, site)


def _laid_out(package: Path, site: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["ebmkit"].items())
    (facts / "entry_points.txt").write_text(f"[ebmkit]\n{points}\n")
    for folder in (package / "src").iterdir():
        shutil.copytree(folder, site / folder.name)
