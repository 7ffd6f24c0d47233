"""What a release is made of: versions that go together, packages with the right contents, a workflow that can run."""

from __future__ import annotations

import importlib.util
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import ebmkit
from ebmkit.plugins.core_range import refuse_other_core

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PLUGINS = sorted(ROOT.glob("plugins/*/pyproject.toml"))
EXAMPLES = sorted(ROOT.glob("examples/plugins/*/pyproject.toml"))


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project(path: Path) -> dict:
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]


# --- the workflow


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_what_the_makefile_has(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert commands
    for command in commands:
        assert re.fullmatch(r"make [\w-]+", command), command
        assert command.removeprefix("make ") in targets, command
    for job in jobs.values():
        assert job["runs-on"] and job["timeout-minutes"] <= 60


def test_the_workflow_tries_every_python_that_is_promised() -> None:
    assert WORKFLOWS
    tried = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"]["tests"]["strategy"]["matrix"]["python"]
    for path in (ROOT / "pyproject.toml", *PLUGINS):
        said = re.findall(r"Python :: (3\.\d+)", " ".join(project(path)["classifiers"]))
        assert said == tried
        assert project(path)["requires-python"] == f">={tried[0]}"


def test_what_is_left_out_of_the_fast_tests_is_there() -> None:
    for line in (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines():
        path, _, name = line.partition("[")[0].partition("::")
        assert (ROOT / path).exists(), line
        assert not name or f"def {name}" in (ROOT / path).read_text(encoding="utf-8"), line


# --- versions


def test_the_versions_of_a_release_go_together() -> None:
    for path in PLUGINS:
        found = project(path)
        assert found["version"] == ebmkit.__version__
        (core,) = [line for line in found["dependencies"] if line.startswith("ebmkit-core")]
        refuse_other_core(core.removeprefix("ebmkit-core"), found["name"])
    assert f"version: {ebmkit.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"[{ebmkit.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_plugin_asks_for_the_same_range_of_core() -> None:
    asked = yaml.safe_load((ROOT / "ebmkit/template/files/copier.yml").read_text(encoding="utf-8"))
    ranges = {"new-plugin": asked["core_range"]["default"]}
    for path in (*PLUGINS, *EXAMPLES):
        (core,) = [line for line in project(path)["dependencies"] if line.startswith("ebmkit-core")]
        ranges[path.parent.name] = core.removeprefix("ebmkit-core")
    assert len(ranges) >= 8 and set(ranges.values()) == {ranges["new-plugin"]}, ranges


def test_every_promise_of_a_version_has_a_lower_bound() -> None:
    lowest = program("lowest")
    asked = project(ROOT / "pyproject.toml")
    pins = [lowest.lowest_pin(line) for line in lowest.requirements(asked)]
    assert "torch" in [pin.partition("==")[0] for pin in pins]
    assert len(pins) == len(set(pins)) >= len(asked["dependencies"])
    assert lowest.lowest_pin("mkdocstrings[python]>=0.29,<2") == "mkdocstrings==0.29"
    with pytest.raises(SystemExit, match="no lower bound"):
        lowest.lowest_pin("torch")


# --- packages


FACTS = "Name: ebmkit-walk\nVersion: 1\nSummary: s\nLicense-Expression: MIT\nRequires-Python: >=3.11\n"
GOOD = {
    "ebmkit_walk/__init__.py": "",
    "ebmkit_walk/py.typed": "",
    "ebmkit_walk/template/tests/test_part.py.jinja": "",
    "ebmkit_walk-1.dist-info/METADATA": f"{FACTS}Requires-Dist: ebmkit-core<0.2,>=0.1\n",
    "ebmkit_walk-1.dist-info/licenses/LICENSE": "",
}


def wheel(folder: Path, files: dict[str, str | None]) -> Path:
    path = folder / "ebmkit_walk-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            if text is not None:
                archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"tests/test_walk.py": ""}, "tests/test_walk.py does not belong"),
        ({"ebmkit_walk/tests/test_walk.py": ""}, "tests/test_walk.py does not belong"),
        ({"ebmkit_walk/__pycache__/x.cpython-311.pyc": ""}, "does not belong"),
        ({"ebmkit_walk/recipes/.gitkeep": ""}, ".gitkeep does not belong"),
        ({"ebmkit_walk/py.typed": None}, "py.typed is missing"),
        ({"ebmkit_walk-1.dist-info/licenses/LICENSE": None}, "the licence is missing"),
        ({"ebmkit_walk-1.dist-info/METADATA": f"{FACTS}Requires-Dist: ebmkit-core\n"}, "which ebmkit-core it needs"),
        ({"ebmkit_walk-1.dist-info/METADATA": f"{FACTS}Requires-Dist: ebmkit-core>=0.1\n"}, "which ebmkit-core"),
        ({"ebmkit_walk-1.dist-info/METADATA": "Name: x\n"}, "no Summary"),
        ({"ebmkit_walk/weights.bin": "x" * 600_000}, "bytes; at most 500,000"),
    ],
)
def test_a_wheel_that_is_wrong_is_told(tmp_path: Path, change: dict[str, str | None], said: str) -> None:
    found = "; ".join(program("check_wheels").problems(wheel(tmp_path, {**GOOD, **change})))
    assert said in found
    assert bool(found) == bool(said)


def test_a_source_that_is_wrong_and_a_wheel_without_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check = program("check_wheels")
    wheel(tmp_path, GOOD)
    monkeypatch.setattr(check.sys, "argv", ["check_wheels.py", str(tmp_path)])
    assert check.main() == 1
    assert "a release has both of each" in capsys.readouterr().out
    names = ("LICENSE", "README.md", "pyproject.toml", "src/ebmkit_walk/__init__.py")
    for extra, status in ((None, 0), ("plugins/other/README.md", 1), ("src/__pycache__/a.pyc", 1)):
        with tarfile.open(tmp_path / "ebmkit_walk-1.tar.gz", "w:gz") as archive:
            for name in filter(None, (*names, extra)):
                archive.addfile(tarfile.TarInfo(f"ebmkit_walk-1/{name}"))
        assert check.main() == status, extra
