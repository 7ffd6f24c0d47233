"""The ledger says what the pages say, and a number that comes out otherwise is flagged."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import ledger  # noqa: E402
from ledger_studies import study_entries, told_of  # noqa: E402
from results_study import study_of  # noqa: E402

ENTRIES = ledger.entries()

TOLD = '{"metrics": [{"name": "fd", "estimates": {"fd-x": {"value": 2.5, "error": 0.1}}}]}'
WRITES = f"python -c \"open('{{out}}/told.json', 'w').write('''{TOLD.replace(chr(34), chr(92) + chr(34))}''')\""


def an_entry(**changed: object) -> ledger.Entry:
    known = replace(ENTRIES[0], id="fd", read="fd: fd-x", value=2.5, error=0.1, shown="2.5", commands=(WRITES,))
    return replace(known, **changed)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_the_pages_say_what_the_ledger_says(entry: ledger.Entry) -> None:
    assert ledger.wrong(entry) == []
    assert entry.definition and entry.minutes > 0
    assert re.fullmatch(r"[0-9a-f]{7}\+?", entry.commit), "a commit, a + where ebmkit was changed since"


def test_no_number_with_an_error_is_without_its_command() -> None:
    assert list(ledger.untold()) == []


def test_a_number_without_its_command_is_told(tmp_path: Path) -> None:
    told = next(entry for entry in ENTRIES if entry.pages == ("README.md",))
    (tmp_path / "README.md").write_text(f"It is fine.\nIt takes 2.5 ± .1 of them, {told.text}, and .30 ± .02.\n")
    assert list(ledger.untold(tmp_path)) == ["README.md:2: 2.5 ± .1", "README.md:2: .30 ± .02"]


def test_numbers_in_the_words_of_a_study_are_its_own(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "results" / "4-mix-fashion.md"
    page.parent.mkdir(parents=True)
    (tmp_path / "README.md").touch()
    words = "As `da` has 21.44 ± .18.\n<!-- measured -->\n99.9 ± .1\n<!-- end -->\n"
    page.write_text(words + "Not 21.44 ± .19, and not 99.9 ± .1.\n")
    told = list(ledger.untold(tmp_path))
    assert told == [f"docs/results/4-mix-fashion.md:5: {said}" for said in ("21.44 ± .19", "99.9 ± .1")]


def test_pages_and_their_commands_are_there() -> None:
    for page, command in ledger.pages().items():
        assert (ROOT / page).exists(), page
        assert all((ROOT / word).exists() for word in command.split() if word.startswith("docs/")), command


def test_names_are_used_once() -> None:
    known = [*ENTRIES, *study_entries()]
    assert len({entry.id for entry in known}) == len(known)


STUDY = """
question = "Which?"
minutes = 1
seeds = [0, 1]
columns = ["fd: fd-x", "classes: n", "gap: mean"]
[arms]
a = "--recipe a"
b = "--recipe b"
[judge]
all = ["--metric classes", "--metric fd -n 50"]
"""


def test_each_number_of_a_study_and_each_training_of_it_is_an_entry(tmp_path: Path) -> None:
    (tmp_path / "1-small.toml").write_text(STUDY)
    (tmp_path / "1-small").mkdir()
    for seed, value in enumerate((2.0, 3.0)):
        told = {"arm": "a", "seed": seed, "seconds": 60.0, "judging": 6.0, "date": "2026-01-01"}
        numbers = {"fd: fd-x": [value, 0.1], "classes: n": [10, 0.0], "gap: mean": [1.0, 0.1]}
        told |= {"judged": ["--metric classes", "--metric fd -n 50"], "numbers": numbers}
        (tmp_path / "1-small" / f"a-{seed}.json").write_text(json.dumps(told))
    (tmp_path / "1-small" / "b-0.json").write_text(json.dumps({"arm": "b", "seed": 0, "failed": "it diverged"}))
    first, second, of_classes, _ = study_entries(tmp_path)
    assert (first.id, first.value, second.value) == ("1-small/a-0/fd: fd-x", 2.0, 3.0)
    assert (of_classes.id, of_classes.value) == ("1-small/a-0/classes: n", 10.0)
    assert of_classes.commands == (first.commands[0], "ebmkit eval {out}/run --metric classes --out {out}/told.json")
    assert first.error == pytest.approx(0.5**0.5)
    told = told_of(study_of("1-small", tmp_path), tmp_path)
    assert (2.0, 0.1) in told, "of a training"
    assert (2.5, 0.5) in told, "of the mean"
    assert first.minutes == 1.1
    assert first.commands == (
        "ebmkit run --recipe docs/results/1-small/a.toml --seed 0 --out {out}/run",
        "ebmkit eval {out}/run --metric fd -n 50 --out {out}/told.json",
    )


def test_a_page_that_says_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("It is 2.4 here.")
    told = ledger.wrong(an_entry(pages=("page.md",), text="It is 2.5 here."), tmp_path)
    assert told == ["fd: page.md does not say 'It is 2.5 here.'"]
    told = ledger.wrong(an_entry(pages=("page.md",), text="It is 2.4 here.", shown="2.4"), tmp_path)
    assert told == ["fd: 2.4 is shown, and the value is 2.5"]
    (tmp_path / "page.md").write_text("It is 2.5 ± .1.")
    for error, fits in ((0.1, True), (0.17, True), (1000.0, False)):
        told = ledger.wrong(an_entry(pages=("page.md",), text="It is 2.5 ± .1.", error=error), tmp_path)
        assert (told == []) is fits, "the error of a mean over seeds is smaller than that of a seed"


def test_a_number_is_made_again_and_one_that_is_off_is_flagged(capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.run([an_entry()]) == 0
    assert ledger.run([an_entry(value=3.0), an_entry(commands=("python -c 1/0",)), an_entry(read="fd: other")]) == 3
    said = capsys.readouterr().out
    assert "3 ± 0.1 in the ledger, 2.5 now: OFF" in said
    assert said.count("failed") == 2


def test_numbers_of_the_same_commands_are_made_together_and_a_training_serves_its_evaluations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[str, ...]] = []

    def made_again(commands: tuple[str, ...], out: Path) -> str:
        made.append(tuple(commands))
        (out / "told.json").write_text(TOLD)
        return ""

    monkeypatch.setattr(ledger, "made_again", made_again)
    chosen = [an_entry(id=name, commands=("train", judge)) for name, judge in (("a", "fd"), ("b", "fd"), ("c", "ood"))]
    assert ledger.run([*chosen, an_entry(id="other", commands=("train other", "fd"))]) == 0
    assert made == [("train",), ("fd",), ("ood",), ("train other",), ("fd",)]


def test_a_training_names_all_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []
    monkeypatch.setattr(ledger, "run", lambda entries: chosen.extend(entry.id for entry in entries) or 0)
    for asked in ("4-mix-fashion/staged-0", "first-run"):
        monkeypatch.setattr(sys, "argv", ["ledger.py", "run", asked])
        with pytest.raises(SystemExit, match="0"):
            ledger.main()
    assert chosen[-1] == "first-run"
    assert len(chosen) == 5
    assert all(name.startswith("4-mix-fashion/staged-0/") for name in chosen[:-1])


@pytest.mark.parametrize(("found", "fits"), [(2.5, True), (2.77, True), (2.79, False), (2.2, False)])
def test_two_standard_errors_of_a_difference_are_allowed(found: float, fits: bool) -> None:
    assert ledger.verdict(an_entry(), found)[0] is fits


def test_a_number_without_error_must_come_out_alike() -> None:
    assert not ledger.verdict(an_entry(error=0.0), 2.5001)[0]
