"""The template in a git repository of the user's, a tag for each version of ebmkit-core: what an update starts from.

Copier compares the template of the version that wrote a plugin with that of the version that updates it, and takes
both from git. A wheel holds one of them alone, so each version that is used leaves its own behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ebmkit.version import __version__

FILES = Path(__file__).parent / "files"
PLACE = "~/.cache/ebmkit/plugin-template"
"""As the answers of every plugin name it, so that they mean the same to everybody who works on it."""

AUTHOR = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "ebmkit"), ("EMAIL", "ebmkit@localhost"), ("DATE", "2026-01-01T00:00:00Z"))
}  # the same template is the same commit on every machine
PLAIN = ("core.autocrlf=false", "core.fileMode=false", "commit.gpgSign=false", "tag.gpgSign=false")


class CannotKeep(Exception):
    """There is no git, or it cannot write: the message says which."""


def kept_template(files: Path = FILES, version: str = __version__) -> str:
    """Returns the tag of a template in the repository, into which it is put if it is not there.

    The tag is "v0.1.0"; where a template of that version is there and differs, as in a checkout that is worked on,
    "v0.1.0+1", and so on.

    Raises:
        CannotKeep: there is no git, or it cannot write.
    """
    if shutil.which("git") is None:
        raise CannotKeep("git is not installed")
    try:
        place().mkdir(parents=True, exist_ok=True)
        git("init", "--quiet")
        with TemporaryDirectory() as scratch:
            index = {"GIT_WORK_TREE": str(files), "GIT_INDEX_FILE": str(Path(scratch) / "index")}
            git("add", "--all", "--force", ".", cwd=files, environment=index)
            tree = git("write-tree", environment=index)
    except OSError as error:
        raise CannotKeep(f"{error.filename or place()}: {error.strerror}") from error
    return _tag_of(tree, version)


def has(tag: str) -> bool:
    """Returns whether the repository holds a tag."""
    return tag in git("tag", "--list").splitlines()


def place() -> Path:
    """Returns the folder of the repository."""
    return Path(PLACE).expanduser()


def git(*words: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Returns what git says in the repository, whatever other repository the caller is in.

    Args:
        *words: of the command.
        cwd: where it runs; unset, in the repository.
        environment: variables beside those of this process.

    Raises:
        CannotKeep: it failed.
    """
    others = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = [word for setting in PLAIN for word in ("-c", setting)]
    done = subprocess.run(
        ["git", *settings, *words], cwd=cwd or place(), capture_output=True, text=True, check=False,
        env={**others, **AUTHOR, "GIT_DIR": str(place() / ".git"), **(environment or {})},
    )  # fmt: skip
    if done.returncode:
        raise CannotKeep(f"git {words[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


def _tag_of(tree: str, version: str) -> str:
    """Returns the tag under which a tree is kept as the template of a version."""
    known = set(git("tag", "--list").splitlines())
    tag, count = f"v{version}", 0
    while tag in known:
        if git("rev-parse", f"refs/tags/{tag}^{{tree}}") == tree:
            return tag
        count += 1
        tag = f"v{version}+{count}"
    commit = git("commit-tree", tree, "-m", f"The plugin that ebmkit-core {version} writes")
    git("update-ref", "refs/heads/main", commit)
    git("symbolic-ref", "HEAD", "refs/heads/main")
    git("tag", tag, commit)
    return tag
