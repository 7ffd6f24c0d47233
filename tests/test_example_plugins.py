"""The plugins of examples/plugins install, keep their promises, and their recipes run."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installing import ROOT, environment, install, run

EXAMPLES = sorted(path.parent for path in ROOT.glob("examples/plugins/*/pyproject.toml"))
PEOPLE = ROOT / "examples" / "plugins" / "ebmkit-csv" / "tests" / "people.csv"
RECIPES = """
import sys
from ebmkit.cli.main import main

for name, more in (("barker-rings", []), ("stein-moons", []), ("csv-table", ["--data", "csv:" + sys.argv[1]])):
    label = ["--set", "data.label=group"] if more else []
    assert main(["run", "--recipe", name, *more, *label, "--steps", "2", "--out", name]) == 0, name
"""


def ebmkit(words: str, cwd: Path, env: dict[str, str]) -> str:
    """Returns what a command of the shell prints, which must succeed."""
    return run([sys.executable, "-m", "ebmkit", *words.split()], cwd, env)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder into which all of them are installed, from a copy: building leaves nothing in the repository."""
    copies = tmp_path_factory.mktemp("copies")
    for example in EXAMPLES:
        shutil.copytree(example, copies / example.name, ignore=shutil.ignore_patterns("__pycache__", "dist", "build"))
    target = tmp_path_factory.mktemp("site")
    install(target, *(copies / example.name for example in EXAMPLES))
    yield target


def test_they_are_there_and_list_what_they_offer(site: Path, tmp_path: Path) -> None:
    listed = ebmkit("plugins", tmp_path, environment(site))
    assert len(EXAMPLES) == 4
    for example in EXAMPLES:
        assert f"{example.name} 0.1.0" in listed
        assert (example / "README.md").is_file()


def test_their_own_tests_pass_conformance_among_them(site: Path, tmp_path: Path) -> None:
    tests = [str(example / "tests") for example in EXAMPLES]
    assert all((Path(folder) / "test_conformance.py").is_file() for folder in tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *tests]
    run([*command, f"--rootdir={tmp_path}", "-c", "/dev/null"], tmp_path, environment(site))


def test_the_shell_checks_one_of_them(site: Path, tmp_path: Path) -> None:
    assert "all hold" in ebmkit("check ebmkit-stein", tmp_path, environment(site))


def test_their_recipes_run(site: Path, tmp_path: Path) -> None:
    run([sys.executable, "-c", RECIPES, str(PEOPLE)], tmp_path, environment(site))
    assert "use = 'mlflow'" in ebmkit("show mlflow-rings", tmp_path, environment(site)).replace('"', "'")


def test_a_run_lies_in_the_store_of_a_tracker_or_is_told_what_to_install(site: Path, tmp_path: Path) -> None:
    words = ["run", "--recipe", "mlflow-rings", "--steps", "2", "--out", "run"]
    command = [sys.executable, "-m", "ebmkit", *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment(site), capture_output=True, text=True, check=False)
    if importlib.util.find_spec("mlflow"):
        assert done.returncode == 0 and list(tmp_path.glob("mlruns/*/*/params/sampler"))
    else:
        assert done.returncode == 2 and "pip install" in done.stderr and not (tmp_path / "run").exists()
