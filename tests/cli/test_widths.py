"""Terminals of 40 to 200 columns: no line is wider, no word is cut, and no status line is left over."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.screen import by_command, screen, seen

ROOT = Path(__file__).parents[2]
LOOK_UPS = ["list", "show sgld", "show toy", "recipes", "plugins", "cite hmc", "cite", "show ula", "lst", "--version"]
LOOK_UPS += ["run --data rings", "run --steps x"]
CHECKS = ["check mine.py --only losses", "check ebmkit-core --only mnist/", "check ebmkit-clol"]
CHECKS += ["check ebmkit-clel --only lossses"]
MINE = "from tests.testing.doubles_of_objectives import part\nCOMPONENTS = (part('by-row'), part('right'))\n"
HELP = ["-h", "check -h", "new-plugin -h", "run -h", "resume -h", "sample -h", "bench -h", "cite -h", "export -h"]
MOVES = "--sampler sgld --set sampler.sgld.moves=2 --set log.tensorboard=false --set pictures.every=1"
RUNS = [
    f"run --energy mlp --data toy:rings --steps 3 --out R {MOVES}",
    "resume R --steps 4",
    "sample R -n 4 --out x.npz",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Command → the words that it writes where there is room for all."""
    shown = by_command(screen(seen([*LOOK_UPS, *HELP], 2000, tmp_path_factory.mktemp("whole"))))
    return {command: words(lines) for command, lines in shown.items()}


def words(lines: list[str]) -> set[str]:
    return set(" ".join(lines).split())


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_look_ups_fit_and_cut_no_word(width: int, whole: dict[str, set[str]], tmp_path: Path) -> None:
    shown = by_command(screen(seen(LOOK_UPS, width, tmp_path)))
    assert list(shown) == LOOK_UPS
    for command, lines in shown.items():
        assert lines and [line for line in lines if len(line) > width] == [], command
        assert words(lines) - {"─" * len(word) for word in words(lines)} <= whole[command], command


@pytest.mark.parametrize("width", [40, 60, 200])
def test_help_fits_and_cuts_no_word(width: int, whole: dict[str, set[str]], tmp_path: Path) -> None:
    for command, lines in by_command(screen(seen(HELP, width, tmp_path))).items():
        assert [line for line in lines if len(line) > width] == [], command
        known = {piece for word in whole[command] for piece in (word, *re.findall(r"[^-]+-?", word))}
        assert words(lines) <= known, f"{command}: a word may be broken after a hyphen, and nowhere else"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_checks_fit_and_say_the_same_at_every_width(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "mine.py").write_text(MINE)
    shown = by_command(screen(seen(CHECKS, width, tmp_path)))
    for lines in shown.values():
        assert lines and [line for line in lines if len(line) > width] == []
    failing, left, unknown, misspelt = (" ".join(" ".join(lines).split()) for lines in shown.values())
    assert "FAILED by-row-double/losses promised: finite scalars" in failing and "Take its mean" in failing
    assert "ok right-double/losses" in failing and "2 of 2 checks ran: 1 failed." in failing
    assert "no part was checked, which is a failure" in left
    assert "Did you mean 'ebmkit-clel'?" in unknown and "Did you mean 'losses'?" in misspelt


@pytest.mark.parametrize("width", [40])
def test_runs_fit_and_leave_their_last_gauge_alone(width: int, tmp_path: Path) -> None:
    written = seen(RUNS, width, tmp_path)
    run, resumed, sampled = by_command(screen(written)).values()
    for lines in (run, resumed, sampled):
        assert [line for line in lines if len(line) > width] == []
        assert not any("…" in line for line in lines), "what was being done is over"
    assert "importing torch …" in written and "making step 1 …" in written and "loading R …" in written
    assert sum("3/3" in line for line in run) == 1 and sum("━" in line for line in run) == 1
    assert any("E⁺−E⁻" in line for line in run)
    assert sum("4/4" in line for line in resumed) == 1
    assert sum("10/10" in line for line in sampled) == 1 and any("x.npz:" in line for line in sampled)


def test_a_dumb_terminal_gets_no_control_sequences(tmp_path: Path) -> None:
    written = seen(["list", "show sgld", RUNS[0]], 60, tmp_path, TERM="dumb")
    assert "\x1b" not in written
    assert [line for line in screen(written) if len(line) > 60 and not line.startswith("$ ")] == []
    assert "step 3/3" in written


def test_no_color_is_respected(tmp_path: Path) -> None:
    assert re.search("\x1b\\[[349][0-7]m", seen(["list"], 120, tmp_path, NO_COLOR="1")) is None
