"""Writes what the documentation says of parts, settings and commands, from the declarations themselves.

    python docs/generate.py            rewrite every generated region
    python docs/generate.py --check    only say which are stale; exit status 1 where any is

A region lies between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

from typer.testing import CliRunner

from ebmkit.cli.declaration import relations, settings_of
from ebmkit.cli.main import make_app
from ebmkit.plugins.citation import works
from ebmkit.plugins.component import KINDS, Component
from ebmkit.plugins.host import Host
from ebmkit.recipes.about import AboutConfig
from ebmkit.recipes.resolver import vectors
from ebmkit.recipes.resolver.defaults import DEFAULTS
from ebmkit.recipes.tables import TABLES, OptimConfig, StageConfig
from ebmkit.training.alarms.table import ALARMS

ROOT = Path(__file__).parent.parent
API = {"models": "To use models", "parts": "To write parts", "declare": "To declare parts", "errors": "Errors"}
"""Pages of the reference of Python names, and the sections of docs/public-names.md whose names they show."""
PAGES = (
    "README.md",
    "docs/recipes.md",
    "docs/parts.md",
    "docs/data.md",
    "docs/cli.md",
    "docs/mixing.md",
    "docs/alarms.md",
    "docs/decisions/README.md",
    *(f"docs/api/{name}.md" for name in API),
)
REGION = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
OF_RUNS = ("run", "resume", "sample", "eval", "score", "report", "export")
COMMANDS = (*OF_RUNS, "list", "show", "recipes", "plugins", "cite", "check", "bench")

Parts = list[tuple[Component, str]]


def loaded() -> Host:
    """Returns a host with core and the plugins in this repository."""
    host = Host()
    host.add_plugin("core", "ebmkit-core", lambda: import_module("ebmkit.builtin"))
    for file in sorted(ROOT.glob("plugins/*/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        sys.path.insert(0, str(file.parent / "src"))
        for name, module in project["entry-points"]["ebmkit"].items():
            host.add_plugin(name, project["name"], lambda module=module: import_module(module))
    for plugin in host.broken():
        raise SystemExit(f"{plugin.distribution}: {plugin.error}")
    return host


def mixing(host: Host) -> str:
    """Returns the matrix of mixes, which has a file of its own."""
    sys.path.insert(0, str(ROOT / "docs"))
    return str(import_module("mixing").page(host))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table."""
    lines = [list(heads), ["---"] * len(list(heads)), *map(list, rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def overview(found: Parts) -> str:
    """Returns one line a part, with its citation."""
    rows = [(c.kind, f"`{c.name}`", c.summary, "<br>".join(one.short for one in works(c.cite)), d) for c, d in found]
    return table(("kind", "name", "what it is", "cite", "from"), rows)


def settings_table(config: type) -> str:
    """Returns the settings of a config dataclass."""
    rows = [(f"`{s.name}`", s.type, f"`{s.default}`", s.meaning) for s in settings_of(config)]
    return table(("setting", "type", "default", "meaning"), rows) if rows else "No settings.\n"


def reference(found: Parts, kinds: Iterable[str] = KINDS) -> str:
    """Returns a section for each part of some kinds."""
    return "\n".join(_section(c, d) for kind in kinds for c, d in found if c.kind == kind)


def tables() -> str:
    """Returns a section for each table of a recipe that is not a part."""
    of_run = {f"[{name}]": config for name, config in TABLES.items()}
    sections = {**of_run, "[optim.OWNER]": OptimConfig, "[[stage]]": StageConfig, "[about]": AboutConfig}
    return "\n".join(f"### `{name}`\n\n{_purpose(c)}{settings_table(c)}" for name, c in sections.items())


def alarms() -> str:
    """Returns the table of alarms."""
    rows = [
        (f"`{a.name}`", f"{a.signal}{f' ({a.detail})' if a.detail else ''}", a.threshold, a.meaning, a.change)
        for a in ALARMS
    ]
    return table(("alarm", "signal", "threshold", "meaning", "what to change"), rows)


def decisions() -> str:
    """Returns a list of the pages in docs/decisions, by their first headings."""
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    heads = {page.name: page.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for page in pages}
    return "".join(f"- [{head}]({name})\n" for name, head in heads.items())


def api(heading: str) -> str:
    """Returns what mkdocstrings reads to show the names in a section of docs/public-names.md."""
    page = (ROOT / "docs" / "public-names.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return "\n".join(f"::: ebmkit.{name}\n" for row in rows for name in re.findall(r"`(\w+)`", row))


def for_vectors() -> str:
    """Returns what the settings for vectors are, beside those for images."""
    rows = [(f"default {table}", f"`{DEFAULTS[table]}`", f"`{name}`") for table, name in vectors.NAMES.items()]
    for name, settings in vectors.TABLES.items():
        rows += [(f"`{name}.{key}`", _default(TABLES[name], key), f"`{value}`") for key, value in settings.items()]
    rows += [(f"`optim.energy.{key}`", _default(OptimConfig, key), f"`{v}`") for key, v in vectors.OPTIM.items()]
    for (kind, name), settings in vectors.PARTS.items():
        config = loaded().get(kind, name).config
        rows += [(f"`{kind}.{name}.{key}`", _default(config, key), f"`{v}`") for key, v in settings.items()]
    return table(("setting", "images", "vectors"), rows)


def _default(config: type, name: str) -> str:
    return next(f"`{setting.default}`" for setting in settings_of(config) if setting.name == name)


def help_of(command: str = "") -> str:
    """Returns what `--help` prints, 80 columns wide."""
    words = [*command.split(), "--help"]
    shown = CliRunner().invoke(make_app(), words, prog_name="ebmkit", env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    return "```text\n" + "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines()) + "\n```\n"


def regions() -> dict[str, Callable[[], str]]:
    """Returns what makes the text of each region."""
    host = loaded()
    found = [(component, plugin.distribution) for component, plugin in host.all()]
    return {
        "mixing": lambda: mixing(host),
        "parts": lambda: overview(found),
        "reference": lambda: reference(found, [kind for kind in KINDS if kind != "dataset"]),
        "datasets": lambda: reference(found, ["dataset"]),
        "tables": tables,
        "alarms": alarms,
        "vectors": for_vectors,
        "decisions": decisions,
        **{f"api-{name}": lambda heading=heading: api(heading) for name, heading in API.items()},
        "help": help_of,
        **{f"help-{command}": lambda command=command: help_of(command) for command in COMMANDS},
    }


def rewritten(text: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """Returns a page with every generated region made anew."""
    return REGION.sub(lambda match: f"{match[1]}{makers[match['name']]()}{match[3]}", text)


def stale(write: bool = False) -> list[str]:
    """Returns the pages whose regions are not what the declarations say; rewrites them if asked."""
    makers, found = regions(), []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        fresh = rewritten(text, makers)
        if fresh != text:
            found.append(page)
            if write:
                (ROOT / page).write_text(fresh, encoding="utf-8")
    return found


def _section(component: Component, distribution: str) -> str:
    lines = [f"### {component.kind} `{component.name}`\n", f"{_sentence(component.summary)} From `{distribution}`.\n"]
    lines += [f"- {heading}: {text}" for heading, text in relations(component)]
    lines += [f"- cite: {work}" for work in component.cite.split("; ") if work]
    return "\n".join([*lines, "", settings_table(component.config)])


def _purpose(config: type) -> str:
    first = cleandoc(config.__doc__ or "").split("\n\n")[0].partition(":")[2].strip()
    return f"{_sentence(first)}\n\n" if first else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def main() -> int:
    """Rewrites or checks the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    pages = stale(write=not options.check)
    done = "stale" if options.check else "rewritten"
    sys.stdout.write("".join(f"{done}: {page}\n" for page in pages) or "all fresh\n")
    return 1 if pages and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
