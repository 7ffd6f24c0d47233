"""`sample`: files of each kind, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.cli.sample_files import Frames
from ebmkit.cli.sampling import given_values
from ebmkit.plugins.host import host
from tests.cli.noisy import COMPONENTS


def test_arrays_repeat_with_the_seed(cli, trained) -> None:
    draws = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        answer = cli("sample", trained, "-n", 5, "--transitions", 2, "--seed", seed, "--out", f"{name}.npz")
        assert answer.status == 0
        assert answer.out.startswith(f"{name}.npz: 5 chains after 4 training steps, 4 gradients each (2 transitions)")
        draws.append(np.load(f"{name}.npz"))
    assert draws[0]["x"].shape == (5, 2)
    assert (draws[0]["x"] == draws[1]["x"]).all()
    assert not (draws[0]["x"] == draws[2]["x"]).all()
    assert str(draws[0]["recipe"]).startswith("resolved = true")
    assert int(draws[0]["step"]) == 4


def test_a_picture_is_overwritten(cli, trained) -> None:
    Path("x.png").write_bytes(b"old")
    assert cli("sample", trained, "-n", 5, "--transitions", 1, "--out", "x.png").status == 0
    assert Image.open("x.png").size == (1008, 576)  # density and samples


def test_a_gif_has_a_frame_for_each_transition(cli, small) -> None:
    np.savez("images.npz", x=np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8))
    flags = ("--energy", "mlp", "--data", "npz:images.npz", "--set", "sample.batch_size=4", *small)
    assert cli("run", *flags, "--steps", 1, "--out", "x").status == 0
    assert cli("sample", "x", "-n", 6, "--transitions", 3, "--out", "x.gif").status == 0
    assert Image.open("x.gif").n_frames == 3


def test_given_values() -> None:
    assert given_values(["label=3", "latent=class:3*1,image:a=b.png"]) == {
        "label": "3",
        "latent": "class:3*1,image:a=b.png",
    }


def test_the_global_stream_is_left_alone(cli, trained) -> None:
    before = torch.get_rng_state()
    cli("sample", trained, "-n", 2, "--transitions", 1, "--out", "x.png")
    assert torch.equal(before, torch.get_rng_state())


@pytest.fixture
def noisy(cli, small) -> Path:
    """A run of images 1×4×4 whose chains move between four noise levels."""
    for component in COMPONENTS:
        host().register(component)
    np.savez("images.npz", x=np.random.default_rng(0).integers(0, 256, (12, 1, 4, 4), dtype=np.uint8))
    parts = ("--energy", "well", "--sampler", "mala+gibbs", "--coordinate", "noise", "--data", "npz:images.npz")
    settings = ("--set", "sampler.gibbs.coordinate=noise", "--set", "sampler.mala.step_size=0.5", *small[2:6])
    answer = cli("run", *parts, *settings, "--set", "sampler.mala.moves=3", "--steps", 1, "--out", "noisy")
    assert answer.status == 0, answer.err
    return Path("noisy")


def test_chains_with_a_noise_level_are_taken_at_a_visit_to_data(cli, noisy) -> None:
    answer = cli("sample", noisy, "-n", 5, "--out", "x.npz")
    assert answer.status == 0 and not answer.err
    assert answer.out.startswith("x.npz: 5 chains after 1 training steps, taken at visit 10 to data, ")
    early = cli("sample", noisy, "-n", 5, "--visits", 3, "--out", "x.npz")
    assert "taken at visit 3 to data" in early.out and "which is early" in early.err and "--visits 10" in early.err
    assert np.load("x.npz")["noise"].tolist() == [0] * 5
    held = cli("sample", noisy, "-n", 5, "--given", "noise=0", "--transitions", 2, "--out", "x.npz")
    assert "8 gradients each (2 transitions)" in held.out
    cli("sample", noisy, "--plain-transitions", 2, "--out", "x.npz").refuses(
        "plain_transitions = 2 has no effect", "noise"
    )


def test_a_sampler_that_annealed_chains_would_not_ask_is_refused(cli, noisy) -> None:
    cli("sample", noisy, "--method", "anneal", "--sampler", "mala", "--out", "x.npz").refuses(
        "--sampler mala has no effect", "--method visits"
    )
    unknown = cli("sample", noisy, "--method", "aneal", "--out", "x.npz")
    unknown.refuses("'--method': 'aneal' is not one of 'visits', 'anneal'")
    assert not Path("x.npz").exists()


def test_chains_that_never_come_to_data_are_told(cli, noisy) -> None:
    none = cli("sample", noisy, "-n", 3, "--visits", 9, "--transitions", 2, "--out", "none.npz")
    none.refuses("None of 3 chains came to data 9 times within 2 transitions", "--transitions", status=1)
    assert not Path("none.npz").exists()
    some = cli("sample", noisy, "-n", 40, "--visits", 1, "--transitions", 1, "--out", "some.npz")
    late = 40 - len(np.load("some.npz")["x"])
    assert some.status == 0 and 0 < late < 40
    assert f"{late} of 40 chains had not come to data once within 1 transitions and are left out" in some.err


def test_a_gif_by_visits_shows_all_chains_until_the_last_is_taken(cli, noisy) -> None:
    assert cli("sample", noisy, "-n", 6, "--visits", 2, "--out", "x.gif").status == 0
    picture = Image.open("x.gif")
    assert 1 < picture.n_frames <= 200
    sizes = {picture.size for i in range(picture.n_frames) if picture.seek(i) is None}
    assert len(sizes) == 1


def test_frames_of_a_long_film_are_thinned_evenly() -> None:
    frames = Frames(most=4)
    for i in range(23):
        frames(torch.tensor(i))
    assert [int(x) for x in frames.kept] == [0, 8, 16]


def test_plain_transitions_are_told(cli, trained) -> None:
    answer = cli("sample", trained, "-n", 5, "--transitions", 2, "--plain-transitions", 3, "--out", "x.npz")
    assert "10 gradients each (2 transitions, then 3 without augmentation)" in answer.out
    cli("sample", trained, "--visits", 3, "--out", "x.npz").refuses("visits = 3 has no effect")


def test_runs_are_composed(cli, toy, trained) -> None:
    assert cli("run", *toy, "--steps", 2, "--seed", 1, "--out", "other").status == 0
    plain = ("sample", trained, "-n", 5, "--transitions", 2)
    answer = cli(*plain, "--with", "other", "--weight", 0.5, "--out", "x.npz")
    assert answer.status == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0] == f"E = E({trained}) + 0.5·E(other) at T = 1"
    assert lines[1].startswith("step of sgld divided by 1.5")
    assert lines[2].startswith("x.npz: 5 chains after 4, 2 training steps, 4 gradients each (2 transitions)")
    record = json.loads(str(np.load("x.npz")["composed"]))
    assert record["op"] == "and" and [r["run"] for r in record["runs"]] == [str(trained), "other"]
    for op in ("or", "not"):
        assert cli(*plain, "--with", "other", "--with", "other", "--op", op, "--out", "x.png").status == 0


def test_the_acceptance_of_what_may_reject_is_told(cli, noisy, trained) -> None:
    assert "acceptance" not in cli("sample", trained, "-n", 2, "--transitions", 1, "--out", "x.npz").out
    flags = ("sample", noisy, "-n", 20, "--given", "noise=0", "--transitions", 3, "--out", "x.npz")
    answer = cli(*flags)
    assert "(3 transitions), acceptance 0." in answer.out and "hardly move" not in answer.err


def test_chains_that_hardly_move_are_told(cli, toy) -> None:
    settings = [text.replace("sgld", "mala") for text in toy]
    long = ("--set", "sampler.mala.step_size=1e6", "--set", "sampler.mala.adapt=off")
    made = cli("run", *settings, *long, "--steps", 1, "--out", "long")
    assert made.status == 0, made.err
    answer = cli("sample", "long", "-n", 20, "--transitions", 2, "--out", "x.npz")
    assert "acceptance 0, " in answer.out and "hardly move" in answer.err and "--transitions" in answer.err
    both = cli("sample", "long", "--with", "long", "-n", 20, "--transitions", 2, "--out", "x.npz")
    assert "hardly move" in both.err and "first" in both.err


def test_compositions_that_cannot_be(cli, toy, trained) -> None:
    assert cli("run", *toy, "--steps", 1, "--set", "run.temperature=0.5", "--out", "cold").status == 0
    wrong = {
        "--op or": "add --with RUN", "--weight 2": "add --with RUN", "--with cold --op or": "T = 0.5",
        "--with cold --weight 1 --weight 2": "one each", "--with cold --weight nan": "finite",
        "--with cold --op xor": "and (all of them)", "--with gone": "gone holds no run",
        "--with cold --weight much": "--weight", "--with cold --given-strength 1": "--given latent",
        "--with cold --given latent=class:0": "no latent",
    }  # fmt: skip
    for flags, words in wrong.items():
        cli("sample", trained, *flags.split(), "--out", "x.png").refuses(words)
    assert not Path("x.png").exists()


@pytest.fixture
def images(cli, small) -> Path:
    """A run of images 1×8×8 with three classes, and a mask whose left half is given."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)
    np.savez("images.npz", x=x, y=np.arange(12) % 3)
    np.savez("test.npz", x=x[:5], y=np.arange(5) % 3)
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[:, :4] = 255
    Image.fromarray(mask).save("mask.png")
    flags = ("--energy", "mlp", "--sampler", "sgld", "--data", "npz:images.npz", "--set", "data.test_path=test.npz")
    labels = ("--coordinate", "label", "--set", "energy.labels=true", *small, "--steps", 1, "--out", "pictures")
    answer = cli("run", *flags, *labels)
    assert answer.status == 0, answer.err
    return Path("pictures")


def test_pixels_are_given_of_test_images_of_files_and_of_folders(cli, images) -> None:
    flags = ("sample", images, "-n", 4, "--transitions", 1, "--given", "pixels=mask.png", "--out", "x.npz")
    answer = cli(*flags)
    assert answer.status == 0, answer.err
    assert "32 of 64 entries of x given (4 test images of npz), 2 gradients each" in answer.out
    made = np.load("x.npz")
    assert made["mask"].shape == (1, 8, 8) and made["mask"][..., :4].all() and not made["mask"][..., 4:].any()
    assert (made["x"][made["mask"][None].repeat(4, 0)] == made["images"][made["mask"][None].repeat(4, 0)]).all()
    assert json.loads(str(made["given"])) == {"pixels": "mask.png"} and made["value_range"].tolist() == [0, 1]
    Path("folder").mkdir()
    for name, grey in (("a", 10), ("b", 200)):
        Image.new("L", (8, 8), grey).save(f"folder/{name}.png")
    assert "(2 of folder)" in cli(*flags, "--images", "folder").out
    assert [round(float(x) * 255) for x in np.load("x.npz")["x"][:, 0, 0, 0]] == [10, 10, 200, 200]
    assert cli(*flags[:-1], "x.png", "--images", "folder/a.png").status == 0
    assert Image.open("x.png").height == 2 * (3 * 10 + 2)  # what was given, the sample, the image
    assert cli(*flags[:-1], "x.gif", "--images", "train").status == 0


def test_pixels_that_cannot_be_given(cli, images, trained) -> None:
    for name, size, grey in (("small", 4, 255), ("black", 8, 0), ("white", 8, 255)):
        Image.new("L", (size, size), grey).save(f"{name}.png")
    Path("empty").mkdir()
    wrong = {
        "--given pixels=small.png": "the mask is 4×4, but the run knows x of 8×8",
        "--given pixels=black.png": "gives nothing", "--given pixels=white.png": "gives everything",
        "--given pixels=gone.png": "cannot be read", "--images test": "add --given pixels=MASK.png",
        "--given pixels=mask.png --images gone": "there is no such file or folder",
        "--given pixels=mask.png --images empty": "holds no picture",
        "--given pixels=mask.png --images small.png": "--images small.png is 4×4", "--denoise": "it has no noise level",
    }  # fmt: skip
    for flags, words in wrong.items():
        cli("sample", images, *flags.split(), "--out", "x.png").refuses(words)
    cli("sample", trained, "--given", "pixels=mask.png", "--out", "x.png").refuses("knows x of 2")
    assert not Path("x.png").exists()


def test_every_class_has_a_row_and_the_arrays_say_what_they_are(cli, images) -> None:
    flags = ("sample", images, "-n", 7, "--transitions", 1, "--seed", 5, "--given", "label=all", "--out")
    assert cli(*flags, "x.npz").status == 0
    made = np.load("x.npz")
    assert made["label"].tolist() == [0, 0, 0, 1, 1, 2, 2] and made["seed"] == 5 and made["temperature"] > 0
    assert made["names"].tolist()[2:4] == ["class 0", "class 1"] and made["recipe"].ndim == 0
    assert cli(*flags, "all.png").status == 0 and cli(*flags[:-3], "--out", "free.png").status == 0
    assert Image.open("all.png").height == 2 * (3 * 10 + 2)  # a row for each class
    assert Image.open("all.png").width > 2 * (3 * 10 + 2)  # and names beside
    cli("sample", images, "--given", "latent=class:all", "--out", "x.png").refuses("no latent")


def test_chains_in_the_plane_are_filmed_on_their_density(cli, trained) -> None:
    assert cli("sample", trained, "-n", 5, "--transitions", 3, "--out", "x.gif").status == 0
    picture = Image.open("x.gif")
    assert picture.n_frames == 3 and picture.size == (500, 530)
