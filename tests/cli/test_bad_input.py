"""Bad input: one readable message, the right exit status, no traceback, nothing half-written."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebmkit import Component
from ebmkit.evaluation import plane_pictures
from ebmkit.plugins.host import host

REQUESTS = {
    "--energy restnet": ["no energy 'restnet'", "Did you mean 'resnet'?"],
    "--set energy.wdths=[8]": ["no setting 'wdths'", "Did you mean 'widths'?"],
    "--set sampler.move=3": ["--set sampler.move", "Did you mean 'moves'?"],
    "--set smpler.moves=3": ["no table 'smpler'", "Did you mean 'sampler'?"],
    "--set energy.head=2": ["head", "'linear'", "found 2"],
    "--set run.ema_half_life=long": ["[run]", "ema_half_life", "found 'long'"],
    "--set buffer.reinit=2": ["reinit", "less than or equal to 1"],
    "--set nothing": ["table.setting=value"],
    "--steps 0": ["--steps"],
    "--seed -1": ["--seed"],
    "--device cuda:99": ["Device 'cuda:99' cannot be used here"],
    "--device toaster": ["Device 'toaster' cannot be used here"],
    "--energy resnet --set energy.blocks=1": ["it needs images [channels, height, width]"],
    "--data toy:ring": ["density", "'rings'"],
    "--data npz:gone.npz": ["gone.npz"],
    "--data cifar10": ["cifar10", "Searched", "Get "],
    "--coordinate level": ["no coordinate 'level'", "Known: label"],
    "--recipe gone.toml": ["gone.toml", "no such file"],
    "--plugin gone.py": ["gone.py"],
    "--nonsense": ["--nonsense"],
    "extra": ["extra"],
}


@pytest.mark.parametrize("flags", REQUESTS)
def test_a_wrong_request(cli, flags: str) -> None:
    usual = {"--energy": "mlp", "--data": "toy:moons", "--steps": "1", "--out": "x"}
    asked = flags.split()
    kept = [word for flag, value in usual.items() if flag not in asked for word in (flag, value)]
    answer = cli("run", *kept, *asked)
    answer.refuses(*REQUESTS[flags])
    assert "Run:" not in answer.out
    assert not Path("x").exists()


def bad_data() -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    images = rng.random((6, 1, 8, 8), dtype=np.float32)
    holed = images.copy()
    holed[2, 0, 3, 3] = np.nan
    np.savez("holed.npz", x=holed)
    np.savez("empty.npz", x=images[:0])
    np.savez("plain.npz", x=images)
    Path("pictures").mkdir()
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save("pictures/a.png")
    Path("folder").mkdir()
    return {
        "--data npz:holed.npz": ["holed.npz"],
        "--data npz:empty.npz": ["empty.npz"],
        "--data folder:folder": ["folder"],
        "--data folder:pictures --set data.size=8": ["8"],
        "--data folder:pictures --set data.channels=1": ["channel"],
        "--data npz:plain.npz --coordinate label": ["needs labels"],
    }


def test_bad_data(cli, small) -> None:
    for flags, words in bad_data().items():
        answer = cli("run", "--energy", "mlp", *small, *flags.split(), "--steps", 1, "--out", "x")
        answer.refuses(*words)
        assert not Path("x").exists()


def test_a_capability_that_nobody_gives(cli, toy) -> None:
    needy = Component(kind="objective", name="needy", build="no:where", summary="", needs=(need("energy.telepathy"),))
    host().register(needy)
    cli("run", *toy, "--objective", "needy", "--out", "x").refuses("needs energy.telepathy")
    assert not Path("x").exists()


def test_two_plugins_with_one_name(cli, toy) -> None:
    for name in ("one", "two"):
        host().add_plugin(name, f"ebmkit-{name}", lambda: Offer())
    cli("run", *toy, "--energy", "twin", "--out", "x").refuses("'twin'", "ebmkit-one", "ebmkit-two")
    assert cli("run", *toy, "--dry-run").status == 0


def test_a_directory_that_holds_a_run(cli, toy, trained) -> None:
    before = sorted(trained.rglob("*"))
    cli("run", *toy, "--steps", 1, "--out", trained).refuses("already holds a run", "ebmkit resume")
    assert sorted(trained.rglob("*")) == before
    Path("file").touch()
    cli("run", *toy, "--steps", 1, "--out", "file").refuses("is a file")


def test_runs_that_cannot_be_resumed(cli, trained) -> None:
    cli("resume", "nowhere").refuses("holds no run")
    made = int(next((trained / "checkpoints").iterdir()).name.removeprefix("step-"))
    cli("resume", trained).refuses("nothing is left", f"--steps {2 * made},")
    cli("resume", trained, "--steps", 1).refuses("and 1 are asked for in all: nothing is left", f"--steps {2 * made},")
    for name, spoil in {"torn": torn, "foreign": foreign, "bare": bare}.items():
        shutil.copytree(trained, name)
        for older in sorted(Path(name, "checkpoints").iterdir())[:-1]:  # which would be taken instead
            shutil.rmtree(older)
        spoil(Path(name))
        cli("sample", name, "--out", "x.png").refuses(name)
        if spoil is not bare:  # without a checkpoint a run starts over
            cli("resume", name, "--steps", 9).refuses(name)
    assert not Path("x.png").exists()


def test_samples_that_cannot_be_drawn(cli, trained) -> None:
    wrong = {
        "--out x.jpg": ".png", "--out x": ".png", "--out no/x.png": "no folder no",
        "--out x.gif --denoise": "no noise level",
        "--out x.png -n 0": "-n", "--out x.png --given a": "NAME=VALUE", "--out x.png --given label=1": "label",
        "--out x.png --given a=1 --given a=2": "twice", "--out x.png --given-strength 2": "--given",
        "--out x.png --device toaster": "toaster", "": "--out",
    }  # fmt: skip
    for flags, word in wrong.items():
        cli("sample", trained, *flags.split()).refuses(word)
    assert not list(Path().iterdir())


def test_a_full_disk(cli, trained, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, clouds, **options) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(plane_pictures, "save_plane", full)
    Path("x.png").write_bytes(b"old")
    cli("sample", trained, "--transitions", 1, "--out", "x.png").refuses("the disk is full", status=1)
    assert Path("x.png").read_bytes() == b"old"
    assert len(list(Path().iterdir())) == 1


def test_a_bug_is_one_message_unless_strict(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebmkit.cli.catalogue.table", lambda *_, **__: 1 / 0)
    cli("list").refuses("ZeroDivisionError: division by zero", "EBMKIT_STRICT=1", status=1)
    monkeypatch.setenv("EBMKIT_STRICT", "1")
    with pytest.raises(ZeroDivisionError):
        cli("list")


def test_an_error_of_a_plugin_says_where_it_came_up(cli, toy, tmp_path: Path) -> None:
    idea = Path(__file__).parents[2] / "examples" / "own_idea.py"
    broken = tmp_path / "broken.py"
    broken.write_text(idea.read_text().replace("self.margin + gap", "self.margins + gap"))
    answer = cli("run", "--plugin", broken, "--objective", "margin", *toy, "--steps", 1, "--out", tmp_path / "run")
    line = broken.read_text().split("self.margins")[0].count("\n") + 1
    answer.refuses("AttributeError", f"{broken}, line {line}, in losses", status=1)


def test_a_hook_of_a_file_that_fails_is_not_to_be_left_out_by_a_variable(cli, toy, tmp_path: Path) -> None:
    hooks = "import ebmkit\n\nCOMPONENTS = ()\n\n@ebmkit.hookimpl\ndef ebmkit_on_step(report):\n    1 / 0\n"
    (tmp_path / "hooks.py").write_text(hooks)
    answer = cli("run", "--plugin", tmp_path / "hooks.py", *toy, "--steps", 1, "--out", tmp_path / "run")
    answer.refuses("hooks.py", "its ebmkit_on_step failed at step 1: ZeroDivisionError", "or leave it out, and go on")


def need(word: str):
    from ebmkit import Need

    return Need(word)


class Offer:
    COMPONENTS = (Component(kind="energy", name="twin", build="no:where", summary=""),)


def torn(run: Path) -> None:
    for file in run.glob("checkpoints/step-00000004/*.safetensors"):
        file.write_bytes(file.read_bytes()[:-7])


def foreign(run: Path) -> None:
    (run / "checkpoints/step-00000004/state.json").write_text('{"format": "other"}')


def bare(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
