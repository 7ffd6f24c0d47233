"""What the documents say is true: nothing is stale, links lead somewhere, the plugin of the walk-through works.

That their code runs is tested in tests/docs.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from ebmkit.cli.main import main
from ebmkit.template.write import NewPlugin, write_plugin
from tests.installing import environment, install, run

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```(?P<language>\w*)(?: title=\"(?P<title>.+?)\")?\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")


def blocks(page: Path) -> Iterator[re.Match[str]]:
    return FENCE.finditer(page.read_text(encoding="utf-8"))


def ebmkit(words: str, cwd: Path, env: dict[str, str]) -> str:
    return run([sys.executable, "-m", "ebmkit", *words.split()], cwd, env)


@pytest.fixture
def fresh_host(monkeypatch):
    """Plugins are discovered anew, and what the test loads is forgotten."""
    monkeypatch.setattr("ebmkit.plugins.host._host", None)


PINNED = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split() if "==" in line
)


@pytest.mark.skipif(
    version("typer") != PINNED["typer"], reason="another typer than constraints.txt writes other --help"
)
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
    for page in [*PAGES, *ROOT.glob("plugins/*/README.md"), *ROOT.glob("examples/plugins/*/README.md")]:
        for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
            target = (page.parent / link["path"]).resolve() if link["path"] else page
            assert target.exists(), f"{page.name}: {link[0]}"
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


WALK_THROUGH = {b["title"]: b["code"] for b in blocks(ROOT / "docs" / "plugins.md") if b["title"]}


@pytest.fixture
def tamed(tmp_path, monkeypatch):
    """Returns the folder of the plugin that the page explains, as the template writes it."""
    pytest.importorskip("copier")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    said = {"description": "Tamed Langevin moves for ebmkit", "author": "Your Name"}
    write_plugin(NewPlugin(name="tamed", kind="sampler", **said), tmp_path / "ebmkit-tamed")
    return tmp_path / "ebmkit-tamed"


def test_the_walk_through_shows_what_the_template_writes(tamed):
    files = {title: code for title, code in WALK_THROUGH.items() if title.startswith(("src/", "tests/", "pyproject"))}
    assert len(files) == 7
    assert files == {title: (tamed / title).read_text(encoding="utf-8") for title in files}


def test_the_plugin_of_the_walk_through_installs_passes_its_tests_and_runs_by_name(tamed, tmp_path):
    site = tmp_path / "site"
    install(site, tamed)
    env = environment(site)
    assert "tamed" in ebmkit("list sampler", tmp_path, env)
    assert "bounded" in ebmkit("show tamed", tmp_path, env)
    assert "ebmkit-tamed 0.1.0" in ebmkit("plugins", tmp_path, env)
    shown = "run --energy mlp --data toy:rings --sampler tamed"
    assert "Run:" in ebmkit(f"{shown} --steps 2 --out run", tmp_path, env)
    assert 'use = "tamed"' in (tmp_path / "run" / "recipe.toml").read_text(encoding="utf-8")
    assert "steps = 300" in ebmkit("run --recipe tamed-example --dry-run", tmp_path, env)
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tamed / "tests")], tamed, env)
