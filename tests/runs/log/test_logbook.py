"""What a run wrote can be read and gone on with, even where its process was killed half-way."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import ebmkit
from ebmkit.errors import RunError
from ebmkit.runs.files import environment
from ebmkit.runs.files.directory import write_text
from ebmkit.runs.files.seal import Seal
from ebmkit.runs.log.lines import Lines
from ebmkit.runs.log.logbook import Logbook, read_metrics

WHOLE = '{"step": 1, "loss.cd": 0.1}\n{"step": 2, "loss.cd": NaN}\n'


@pytest.mark.parametrize(
    "rest", ['{"step": 3, "lo', "nonsense", "[]", "3", '{"step": "x"}', '{"loss": 1}', "\n", "\xff"]
)
def test_a_line_that_is_no_step_blocks_nothing(rest: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(WHOLE.encode() + rest.encode("latin-1"))
    assert [entry["step"] for entry in read_metrics(tmp_path)] == [1, 2]
    book = Logbook(tmp_path, tensorboard=False, after=2)
    book.write(3, {"loss.cd": 0.5})
    book.close()
    assert (tmp_path / "metrics.jsonl").read_text() == WHOLE + '{"step": 3, "loss.cd": 0.5}\n'


def test_lines_after_the_checkpoint_are_dropped_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "metrics.jsonl").write_text(WHOLE)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(RunError, match="No space left"):
        patched.setattr(Path, "replace", full)
        Logbook(tmp_path, tensorboard=False, after=1)
    assert (tmp_path / "metrics.jsonl").read_text() == WHOLE
    Logbook(tmp_path, tensorboard=False, after=1).close()
    assert (tmp_path / "metrics.jsonl").read_text() == WHOLE.splitlines(keepends=True)[0]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="could not be written"):
        write_text(tmp_path / "file" / "recipe.toml", "")


def test_the_package_whose_commit_is_asked_is_ebmkit() -> None:
    (package,) = environment._commit.__defaults__ or ()
    assert package == Path(ebmkit.__file__).parent


def test_the_commit_is_of_the_checkout_that_holds_the_package_as_source(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    source, installed = tmp_path / "ebmkit", tmp_path / ".venv" / "site-packages" / "ebmkit"
    for package in (source, installed):
        package.mkdir(parents=True)
    git("init", "-q")
    assert environment._commit(source) == ""
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert environment._commit(source) == git("rev-parse", "HEAD")
    assert environment._commit(installed) == ""


def logged(path: Path, steps: int = 3) -> Seal:
    lines = Lines(path)
    for step in range(1, steps + 1):
        lines.append({"step": step})
    lines.close()
    return lines.seal()


def test_a_backup_by_hard_links_is_left_alone(tmp_path: Path) -> None:
    path, backup = tmp_path / "metrics.jsonl", tmp_path / "backup"
    sealed = logged(path)
    path.write_text(path.read_text() + '{"step": 4}\n')
    backup.hardlink_to(path)
    before = backup.read_bytes()
    lines = Lines(path)
    lines.cut(3, sealed, print)
    lines.append({"step": 4, "again": 1})
    lines.close()
    assert backup.read_bytes() == before
    assert [entry.get("again") for entry in read_metrics(tmp_path)] == [None, None, None, 1]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_damaged_log_is_kept_aside_and_not_written_through_a_link(link: Any, tmp_path: Path) -> None:
    path, mine = tmp_path / "run" / "metrics.jsonl", tmp_path / "mine"
    path.parent.mkdir()
    mine.write_text("kept")
    link(path.with_name(f"damaged-{path.name}"), mine)
    sealed = logged(path)
    path.write_text("rm -rf everything\n" + path.read_text()[18:])
    told: list[str] = []
    Lines(path).cut(3, sealed, told.append)
    assert mine.read_text() == "kept"
    assert "is damaged" in told[0] and path.with_name(f"damaged-{path.name}").read_text().startswith("rm -rf")
