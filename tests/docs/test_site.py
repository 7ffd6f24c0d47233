"""The site builds without a warning, its pages are in the navigation, and its reference holds every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import ebmkit
from ebmkit.training.alarms.table import ALARMS
from tests.docs.blocks import ROOT

DOCS = ROOT / "docs"
EXTERNAL = re.compile(r"<(?:script|img|iframe)[^>]*\bsrc=\"https?:|<link[^>]*\brel=\"stylesheet\"[^>]*href=\"https?:")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Returns the folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there_and_fetches_nothing(site: Path):
    for page in [*DOCS.glob("**/*.md")]:
        path = page.relative_to(DOCS).with_suffix(".html")
        assert (site / (path.with_name("index.html") if path.stem == "README" else path)).exists(), page
    assert [page.name for page in site.glob("**/*.html") if EXTERNAL.search(page.read_text(encoding="utf-8"))] == []


def test_a_link_to_a_file_of_the_repository_leads_to_a_page_that_shows_it(site: Path):
    shown = (site / "repository" / "examples" / "own_idea.py.html").read_text(encoding="utf-8")
    assert "class" in shown and "Margin" in shown
    assert 'href="repository/examples/own_idea.py.html"' in (site / "plugins.html").read_text(encoding="utf-8")
    assert 'href="../concepts.html#glossary"' in (site / "repository/CONTRIBUTING.html").read_text(encoding="utf-8")


def test_lists_are_lists(site: Path):
    """Python-Markdown wants four spaces before a second paragraph of an item, and a blank line before a list."""
    literal = re.compile(r"<p>[^<]*(?:<(?!/p>)[^<]*)*?\n(?:[-*] |\d\. |\| )")
    pages = site.glob("**/*.html")
    assert [str(page.relative_to(site)) for page in pages if literal.search(page.read_text(encoding="utf-8"))] == []


def test_what_is_said_to_the_tests_is_not_shown(site: Path):
    pages = site.glob("**/*.html")
    assert [page.name for page in pages if '<span class="filename">not tested' in page.read_text("utf-8")] == []


def test_every_page_of_the_navigation_is_in_the_sidebar(site: Path):
    """A README that is the only child of its entry becomes the page of its section, and nobody finds it."""
    shown = (site / "architecture.html").read_text(encoding="utf-8")
    sidebar = set(re.findall(r'href="([^"]+)" class="md-nav__link', shown))
    assert {"decisions/index.html", "releasing.html", "scaling.html", "reliability.html"} <= sidebar


def test_scripts_beside_the_pages_are_no_part_of_the_site(site: Path):
    assert [*site.glob("*.py")] == []


def test_the_reference_shows_every_public_name(site: Path):
    pages = "".join(page.read_text(encoding="utf-8") for page in site.glob("api/*.html"))
    shown = set(re.findall(r'<h3 id="ebmkit\.(\w+)"', pages))
    assert shown == set(ebmkit.__all__)
    assert "&gt;&gt;&gt;" in pages and "<p>&gt;&gt;&gt;" not in pages  # examples are code


def test_every_page_but_decisions_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/-]+\.md", text.partition("\nnav:\n")[2].partition("\nplugins:")[0]))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.glob("**/*.md")}
    assert {page for page in pages - named if not page.startswith("decisions/0")} == set()


def test_every_alarm_has_its_section_in_troubleshooting():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    table, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for alarm in ALARMS:
        row = next((line for line in table.splitlines() if f"`{alarm.name}`" in line), "")
        heading = row.partition("[")[2].partition("]")[0]
        section = next((s for s in sections if heading and s.startswith(heading)), "")
        assert f"`{alarm.name}`" in section, f"{alarm.name}: a row of the table, and a section that it leads to"


def test_every_section_of_troubleshooting_says_what_is_seen_why_and_what_to_change():
    sections = re.split(r"^## ", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for section in sections:
        for part in ("**You see**", "**Why", "**Change first**"):
            assert part in section, section.splitlines()[0]
        assert "```sh" in section, section.splitlines()[0]


def test_every_how_to_page_is_listed_and_short():
    index = (DOCS / "how-to" / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("how-to/*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name
        prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert len(prose.split()) <= 450, page.name
