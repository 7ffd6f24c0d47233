"""Prints the lowest version of each range in pyproject.toml, as a constraints file for pip.

    python docs/lowest.py > lowest.txt
    pip install -c lowest.txt '.[testing]'

The suite is run on these before a release: a lower bound that nobody tried is a guess.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("testing", "hf")
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,-]+\])?\s*(?:>=|==)\s*(?P<version>[\w.]+)")


def requirements(project: dict) -> list[str]:
    """Returns what the package asks for, with the extras that a user installs."""
    return [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]


def lowest_pin(requirement: str) -> str:
    """Returns `name==version` of the lower bound of one requirement, which has to have one."""
    match = REQUIREMENT.match(requirement)
    if match is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound; give it one (name>=version).")
    return f"{match['name']}=={match['version']}"


def main() -> None:
    """Prints one pin a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    sys.stdout.write("\n".join(lowest_pin(requirement) for requirement in requirements(project)) + "\n")


if __name__ == "__main__":
    main()
