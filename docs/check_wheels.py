"""Looks into the packages of a release, and says what is wrong with them; exit status 1 where anything is.

python docs/check_wheels.py dist
"""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

MOST = {"ebmkit_core": 12_000_000}
"""Bytes that a wheel may have; a plugin's 500,000."""

CACHES = r"(^|/)(__pycache__|\.venv|\.git|\.gitkeep|\.DS_Store|\.\w+_cache)(/|$)|\.(pyc|pkl|ckpt)$|~$"
NEVER = re.compile(rf"^(\w+/)?tests?/|^(runs|dist|docs|examples)/|{CACHES}")
NOT_IN_SDIST = re.compile(rf"^(runs|dist|plugins)/|{CACHES}")
NEEDED = {
    "ebmkit_core": (
        "ebmkit/pretrained/garments/recipe.toml",
        "ebmkit/pretrained/garments-clel/recipe.toml",
        "ebmkit/data/fashion_mini.npz",
        "ebmkit/data/FASHION_MNIST_LICENSE",
        "ebmkit/metrics/features/weights/RESNET20_LICENSE",
    )
}


def problems(wheel: Path) -> list[str]:
    """Returns what is wrong with a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [n for n in names if n.endswith(".dist-info/METADATA")]
        facts = HeaderParser().parsestr(archive.read(metadata).decode())
    package = wheel.name.split("-")[0]
    folder = package.removesuffix("_core")
    size, most = wheel.stat().st_size, MOST.get(package, 500_000)
    wrong = [f"{name} does not belong into a wheel" for name in names if NEVER.search(name)]
    needed = [f"{folder}/py.typed", *NEEDED.get(package, ())]
    wrong += [f"{name} is missing" for name in needed if name not in names]
    wrong += [f"{size:,} bytes; at most {most:,}" for _ in range(1) if size > most]
    if not any(name.endswith("licenses/LICENSE") for name in names):
        wrong.append("the licence is missing")
    return wrong + _of_metadata(facts, package)


def _of_metadata(facts: Message, package: str) -> list[str]:
    """Returns what is wrong with what a package says of itself."""
    wrong = [f"no {key}" for key in ("Summary", "License-Expression", "Requires-Python") if not facts[key]]
    core = [line for line in facts.get_all("Requires-Dist", []) if re.match(r"ebmkit-core\b(?!\[)", line)]
    if package != "ebmkit_core" and not any(">=" in line and "<" in line for line in core):
        wrong.append("it does not say which ebmkit-core it needs, from and below")
    return wrong


def source_problems(sdist: Path) -> list[str]:
    """Returns what is wrong with a source distribution."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    wrong = [f"{name} does not belong into it" for name in names if NOT_IN_SDIST.search(name)]
    return wrong + [f"{name} is missing" for name in ("LICENSE", "README.md", "pyproject.toml") if name not in names]


def main() -> int:
    """Prints a line for each package."""
    folder = Path(sys.argv[1])
    found = {path: problems(path) for path in sorted(folder.glob("*.whl"))}
    found |= {path: source_problems(path) for path in sorted(folder.glob("*.tar.gz"))}
    for path, wrong in found.items():
        sys.stdout.write(f"{path.name:<48} {path.stat().st_size:>10,} bytes  {'; '.join(wrong) or 'in order'}\n")
    wheels = {path.name.split("-")[0] for path in found if path.suffix == ".whl"}
    sources = {path.name.rsplit("-", 1)[0] for path in found if path.suffix == ".gz"}
    if not wheels or wheels != sources:
        sys.stdout.write(f"wheels of {sorted(wheels)}, sources of {sorted(sources)}: a release has both of each.\n")
        return 1
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
