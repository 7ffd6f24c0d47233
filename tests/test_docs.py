"""What the documents say is true: nothing is stale, links lead somewhere, the plugin of the walk-through works.

That their code runs is tested in tests/docs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebmkit.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>.+?)\")?\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
PICTURES_TO_COME = {ROOT / "docs" / "images" / "demo.png"}


def blocks(page: Path) -> Iterator[re.Match[str]]:
    return FENCE.finditer(page.read_text(encoding="utf-8"))


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


@pytest.fixture
def fresh_host(monkeypatch):
    """Plugins are discovered anew, and what the test loads is forgotten."""
    monkeypatch.setattr("ebmkit.plugins.host._host", None)


def test_generated_regions_are_fresh():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.stale() == [], "run: python docs/generate.py"


def test_the_recipe_that_is_shown_is_a_recipe(fresh_host, tmp_path, capsys):
    first = next(b["code"] for b in blocks(ROOT / "docs" / "recipes.md") if b["language"] == "toml")
    (tmp_path / "mine.toml").write_text(first, encoding="utf-8")
    assert main(["run", "--recipe", str(tmp_path / "mine.toml"), "--dry-run"]) == 0
    assert "temperature = 1.0" in capsys.readouterr().out


def test_links_lead_somewhere():
    for page in PAGES:
        for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
            target = (page.parent / link["path"]).resolve() if link["path"] else page
            assert target.exists() or target in PICTURES_TO_COME, f"{page.name}: {link[0]}"
            if link["anchor"]:
                assert link["anchor"] in anchors(target), f"{page.name}: {link[0]}"


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


PATH = re.compile(r"(?<![\w/-])((?:ebmkit|tests|docs|examples|plugins/ebmkit-[\w-]+)/[\w/-]+\.(?:py|toml|md))\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert [path for path in PATH.findall(text) if not (ROOT / path).exists()] == []


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def room(path: str) -> Path:
    """Returns what the page on the architecture calls by a path: below ebmkit, or from the root."""
    return next((p for p in (ROOT / "ebmkit" / path, ROOT / path) if p.exists()), Path())


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/-]+(?:\.py|/)(?:: \w+)?)`", ARCHITECTURE))))
def test_the_rooms_files_and_functions_of_the_architecture_exist(named):
    path, _, name = named.partition(": ")
    assert room(path) != Path(), f"{path} does not exist"
    if name:
        assert re.search(rf"^(def|class) {name}\b", room(path).read_text(encoding="utf-8"), re.MULTILINE), named


def test_every_room_is_in_the_tree():
    tree = next(FENCE.finditer(ARCHITECTURE))["code"]
    rooms = {p.name for p in (ROOT / "ebmkit").iterdir() if (p / "__init__.py").is_file()}
    assert rooms == set(re.findall(r"(\w+)/", tree)) - {"resolver"}
    files = {p.name for p in (ROOT / "ebmkit").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert files == set(re.findall(r"\w+\.py", tree))


def test_the_layers_that_are_shown_are_those_that_are_checked():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    shown = ARCHITECTURE.split("<!-- layers -->\n```text\n")[1].split("```")[0].splitlines()
    assert shown == [layer.replace("ebmkit.", "") for layer in contract[0]["layers"]]


def test_public_names_stay_what_they_are_whatever_is_imported_first(tmp_path):
    program = (
        "import ebmkit, ebmkit.sampling.generate\n"
        "names = [n for n in ebmkit.__all__ if n[0].islower()]\n"
        "wrong = [n for n in [*names, *reversed(names)] if not callable(getattr(ebmkit, n))]\n"
        "assert not wrong, wrong"
    )
    run([sys.executable, "-c", program], tmp_path, environment())


def plugin_files() -> dict[str, str]:
    return {b["title"]: b["code"] for b in blocks(ROOT / "docs" / "plugins.md") if b["title"]}


def install(package: Path, site: Path) -> None:
    """Installs a package into a folder: with pip where its build backend is there, else as pip would leave it."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if importlib.util.find_spec("hatchling") and importlib.util.find_spec("pip"):
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
        pip = [sys.executable, "-m", "pip", "install"]
        run([*pip, *offline, "--target", str(site), str(package)], package, dict(os.environ))
        return
    facts = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["ebmkit"].items())
    (facts / "entry_points.txt").write_text(f"[ebmkit]\n{points}\n")
    for folder in (package / "src").iterdir():
        folder.rename(site / folder.name)


def test_the_plugin_of_the_walk_through_installs_passes_its_tests_and_runs_by_name(tmp_path):
    package, site = tmp_path / "ebmkit-tamed", tmp_path / "site"
    for name, code in plugin_files().items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(code, encoding="utf-8")
    install(package, site)
    env = environment(site)
    assert "tamed-langevin" in ebmkit("list sampler", tmp_path, env)
    assert "bounded" in ebmkit("show tamed-langevin", tmp_path, env)
    assert "ebmkit-tamed 0.1.0" in ebmkit("plugins", tmp_path, env)
    shown = "run --energy mlp --data toy:rings --sampler tamed-langevin"
    assert "Run:" in ebmkit(f"{shown} --steps 2 --out run", tmp_path, env)
    assert 'use = "tamed-langevin"' in (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")
    assert "steps = 500" in ebmkit("run --recipe tamed-rings --dry-run", tmp_path, env)
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package / "tests")], package, env)
