"""A run directory of a stranger leads nowhere: no command reads, writes or deletes through a link in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ebmkit.runs.files.directory import free_directory
from ebmkit.runs.files.seal import self_sealed

MINE = "alias ls=ls\n"
COMMANDS = {
    "run": ("--energy", "mlp", "--data", "toy:moons", "--steps", "2", "--out", "run"),
    "resume": ("run", "--steps", "9"),
    "sample": ("run", "--transitions", "1", "--out", "x.npz"),
    "eval": ("run", "--quick"),
    "report": ("run", "--no-sampling"),
    "export": ("run", "--out", "x.safetensors"),
    "score": ("run", "--data", "toy:moons", "--out", "x.csv"),
}
FILES = ("recipe.toml", "environment.json", "metrics.jsonl", "checkpoints/step-00000004/state.json",
         "checkpoints/step-00000004/energy.safetensors")  # fmt: skip
FOLDERS = ("checkpoints", "samples", "tensorboard", "evaluation")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", [*FILES, *FOLDERS])
def test_no_command_follows_a_link(cli, trained: Path, command: str, name: str) -> None:
    shutil.copytree(trained, "run")
    place = Path("run", name)
    Path("outside").mkdir()
    if place.exists():
        place.rename("outside/own")
    else:
        Path("outside/own").mkdir()
    place.symlink_to(Path("outside/own").resolve())
    before = everything(Path("outside"))
    cli(command, *COMMANDS[command]).refuses("link", name)
    assert everything(Path("outside")) == before
    assert not any(Path(file).exists() for file in ("x.npz", "x.safetensors", "x.csv"))


def test_what_was_left_half_written_is_not_written_through(cli, trained: Path) -> None:
    shutil.copytree(trained, "run")
    Path("bashrc").write_text(MINE)
    for name in ("metrics.jsonl", "recipe.toml", "checkpoints/step-00000006"):
        Path("run", name).with_name(f".writing-{Path(name).name}").symlink_to(Path("bashrc").resolve())
    Path("run", ".writing-report.html").symlink_to(Path("bashrc").resolve())
    cli("resume", "run", "--steps", "6")
    cli("report", "run", "--no-sampling")
    assert Path("bashrc").read_text() == MINE


def test_a_new_run_does_not_begin_among_links(cli, toy) -> None:
    for name in ("samples", "tensorboard", "metrics.jsonl"):
        shutil.rmtree("run", ignore_errors=True)
        Path("run").mkdir()
        Path("outside").mkdir(exist_ok=True)
        Path("run", name).symlink_to(Path("outside").resolve())
        cli("run", *toy, "--steps", 1, "--out", "run").refuses("link", name)
        assert not list(Path("outside").iterdir())


def test_a_directory_that_is_itself_a_link_is_that_of_its_owner(cli, trained: Path) -> None:
    Path("newest").symlink_to(trained)
    assert cli("sample", "newest", "--transitions", 1, "--out", "x.npz").status == 0


@pytest.mark.parametrize("name", ["metrics.jsonl", "environment.json", "checkpoints/step-00000004/energy.safetensors"])
def test_a_fifo_is_not_waited_for(cli, trained: Path, name: str) -> None:
    shutil.copytree(trained, "run")
    Path("run", name).unlink()
    os.mkfifo(Path("run", name))
    cli("report", "run", "--no-sampling").refuses("FIFO", name)
    cli("resume", "run", "--steps", 9).refuses("FIFO", name)


@pytest.mark.parametrize("file", ["../../outside", "/tmp/outside", "..", ""])
def test_a_checkpoint_names_files_of_its_own(cli, trained: Path, file: str) -> None:
    import json

    shutil.copytree(trained, "run")
    path = Path("run/checkpoints/step-00000004/state.json")
    state = {**json.loads(path.read_text()), "files": {file: [3, "ab"]}}
    path.write_text(json.dumps(self_sealed(state)))
    shutil.rmtree("run/checkpoints/step-00000002")  # which would be taken instead
    cli("sample", "run", "--out", "x.npz").refuses("state.json", "is no name of one")


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "..", "a/b", "", "a\nb", "x" * 500])
def test_a_run_of_any_name_lies_in_the_folder_of_runs(name: str) -> None:
    path = free_directory(name)
    assert path.parent == Path("runs")
    assert path.name not in ("", ".", "..")
    assert len(path.name) < 200
