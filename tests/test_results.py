"""Studies can be read and resolved, and a small one runs from training to its table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import results_cell  # noqa: E402
import results_measured  # noqa: E402
import results_study  # noqa: E402
from results_pictures import draw_curves  # noqa: E402
from results_table import BEGIN, END, of_gap, table, table_by_number, tables_of, write_page  # noqa: E402

STUDIES = results_study.studies()

SMALL = """
question = "Does it run?"
minutes = 0.001
seeds = [0, 1]
all = "--data toy:rings --set energy.widths=[8] --set run.batch_size=16"
curve = "--metric chains -n 16"
columns = ["chains: acceptance"]
tables = { other = ["chains: R-hat, largest"] }

[arms]
mala = "--sampler mala --set sampler.mala.moves=1"
hmc = "--sampler hmc --set sampler.hmc.moves=1"

[judge]
all = ["--metric chains -n 16 --transitions 4"]
"""


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_of_a_study_is_a_run(name: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from ebmkit.cli.main import main

    monkeypatch.chdir(ROOT)
    study = results_study.study_of(name)
    assert study.columns and study.seeds and study.question.endswith("?")
    assert set(study.judge) <= {"all", *(arm.name for arm in study.arms)}
    assert {*study.seeds_of, *study.steps_of, *study.steps_of.values()} <= {arm.name for arm in study.arms}
    for arm in study.arms:
        asked = results_study.run_command(arm, 100, Path("unused"))[3:-2]
        assert main([*asked, "--dry-run"]) == 0, (arm.name, capsys.readouterr().err)


def test_arms_that_differ_in_the_optimiser_alone_take_the_same_steps(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "small.toml").write_text(
        SMALL.replace("[judge]", 'fast = "--sampler hmc --set optim.energy.lr=1e-2 --set sampler.hmc.moves=1"\n[judge]')
    )
    took = {"mala": iter((0.001, 0.003)), "hmc": iter((0.002, 0.004)), "fast": iter((0.005, 0.001))}
    monkeypatch.setattr(results_measured, "_a_step", lambda _, arm: next(took[arm.name]))
    results_measured.pilot(results_study.study_of("small", tmp_path), tmp_path)
    steps = {arm.name: arm.steps for arm in results_study.study_of("small", tmp_path).arms}
    assert steps == {"mala": 30, "hmc": 20, "fast": 20}


def test_arms_that_are_measured_once_have_the_first_seed_alone(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text('once = ["hmc"]\n' + SMALL)
    study = results_study.study_of("small", tmp_path)
    left = [(arm.name, seed) for arm, seed in results_measured.left(study, [], [], tmp_path)]
    assert left == [("mala", 0), ("hmc", 0), ("mala", 1)]
    (tmp_path / "small.toml").write_text(SMALL + "[seeds_of]\nmala = [1]\n")
    study = results_study.study_of("small", tmp_path)
    left = [(arm.name, seed) for arm, seed in results_measured.left(study, [], [], tmp_path)]
    assert left == [("hmc", 0), ("mala", 1), ("hmc", 1)]
    assert [arm.name for arm, _ in results_measured.left(study, ["hmc"], [1], tmp_path)] == ["hmc"], "where it is asked"


def test_what_another_process_measures_is_left_to_it(tmp_path: Path) -> None:
    with (
        results_measured.claimed(tmp_path / "a-0.lock") as first,
        results_measured.claimed(tmp_path / "a-0.lock") as second,
    ):
        assert (first, second) == (True, False)
    with results_measured.claimed(tmp_path / "a-0.lock") as again:
        assert again


def test_a_study_runs_from_training_to_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (results_measured, results_cell):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "small").mkdir()
    pilot = {arm: {"steps": 8, "seconds": 0.1} for arm in ("mala", "hmc")}
    (tmp_path / "small" / "pilot.json").write_text(json.dumps(pilot))
    study = results_study.study_of("small", tmp_path)
    asked = argparse.Namespace(arms=["mala"], seeds=[0], minutes=10.0, jobs=1)
    assert results_measured.run(study, asked, time.monotonic() + 600, tmp_path) == 0
    kept = json.loads((tmp_path / "small" / "mala-0.json").read_text())
    assert kept["drawn"][study.judge["all"][0]][0].startswith("Chains are made with transitions = 4")
    assert kept["steps"] == 8
    assert sorted(kept["curve"]) == ["2", "4", "6", "8"]
    assert 0 <= kept["numbers"]["chains: acceptance"][0] <= 1
    assert kept["mib"] > 50
    assert len(kept["trace"]["gap"]) == len(kept["trace"]["step"]) > 0
    assert "[run]" in (tmp_path / "small" / "mala.toml").read_text()
    left = [(arm.name, seed) for arm, seed in results_measured.left(study, [], [], tmp_path)]
    assert left == [("hmc", 0), ("mala", 1), ("hmc", 1)]
    (tmp_path / "small.md").write_text(f"# Small\n\n{BEGIN}\n{END}\n\n<!-- other -->\n{END}\n\nWords.\n")
    write_page(tmp_path, study)
    page = (tmp_path / "small.md").read_text()
    assert "| mala | one seed | 8 |" in page
    assert "| hmc | not measured" in page
    assert page.endswith("Words.\n")
    picture = draw_curves(study, tmp_path, tmp_path / "images")
    assert picture is not None
    assert picture.stat().st_size > 5_000


def test_a_training_that_fails_is_a_result_and_an_evaluation_is_made_again_where_its_flags_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_cell, "ROOT", tmp_path)
    (tmp_path / "1-small").mkdir()
    (tmp_path / "1-small" / "pilot.json").write_text(json.dumps({"mala": {"steps": 2}, "bad": {"steps": 2}}))
    asked = argparse.Namespace(arms=[], seeds=[0], minutes=10.0, jobs=1)
    kept = []
    for n in (8, 9):
        text = SMALL.replace("--transitions 4", f"--seed {n}").replace("curve =", "# curve =")
        (tmp_path / "1-small.toml").write_text(text.replace('hmc = "', 'bad = "--set optim.energy.lr=1e30 '))
        (tmp_path / "1-small" / "mala-0.json").unlink(missing_ok=True)
        study = results_study.study_of("1-small", tmp_path)
        results_measured.run(study, asked, time.monotonic() + 600, tmp_path)
        kept.append(json.loads((tmp_path / "1-small" / "mala-0.json").read_text()))
    assert [entry["judged"] for entry in kept] == [[f"--metric chains -n 16 --seed {n}"] for n in (8, 9)]
    assert kept[0]["seconds"] == kept[1]["seconds"], "it was trained once"
    assert kept[0]["numbers"] != kept[1]["numbers"]
    assert "training: Error" in json.loads((tmp_path / "1-small" / "bad-0.json").read_text())["failed"]
    assert "| bad | one seed, 1 failed |" in tables_of(tmp_path, study)[BEGIN]
    with pytest.raises(SystemExit, match="have results"):
        results_measured.pilot(study, tmp_path)


SAYS = "import sys; print({!r}); sys.exit({})"


@pytest.mark.parametrize(
    ("said", "status", "result"),
    [
        ("Error: the loss is nan", 1, True),
        ("Error: Interrupted after step 3 (SIGINT); a checkpoint is saved", 1, False),
        ("Error: Interrupted after step 3 (SIGTERM)", 75, False),
        ("Error: no such set", 2, False),
        ("MemoryError", 1, False),
        ("Interrupted.", 130, False),
    ],
)
def test_what_says_nothing_about_the_method_is_no_result(
    said: str, status: int, result: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_cell, "ROOT", tmp_path)
    (tmp_path / "1-small.toml").write_text(SMALL)
    study = results_study.study_of("1-small", tmp_path)
    cell = results_cell.Cell(study=study, arm=study.arms[0], seed=0)
    cell.log.parent.mkdir(parents=True)
    cell.log.write_text("Error: of an earlier command\n")
    with pytest.raises(results_cell.Failed if result else subprocess.CalledProcessError) as raised:
        cell._made([sys.executable, "-c", SAYS.format(said, status)], "training")
    assert not result or str(raised.value) == f"training: {said}"


def test_an_evaluation_without_numbers_leaves_those_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluated(cell: results_cell.Cell, *flags: str) -> tuple[dict[str, list[float]], float]:
        if "chains" in flags:
            raise results_cell.Failed("evaluation: Error: no chain arrived")
        return {"fd: fd-x": [1.0, 0.1]}, 2.0

    monkeypatch.setattr(results_cell.Cell, "_evaluated", evaluated)
    monkeypatch.setattr(results_cell.Cell, "_without", lambda cell, *flags: [])
    monkeypatch.setattr(results_cell.Cell, "said", lambda cell, *flags: ["64 chains"])
    monkeypatch.setattr(results_cell, "shares_of_time", lambda run, steps: {})
    (tmp_path / "1-small.toml").write_text(SMALL.replace('["--metric', '["--metric fd", "--metric'))
    study = results_study.study_of("1-small", tmp_path)
    found = results_cell.Cell(study=study, arm=study.arms[0], seed=0).judged()
    assert (found["numbers"], found["judging"]) == ({"fd: fd-x": [1.0, 0.1]}, 2.0)
    assert list(found["drawn"].values()) == [["64 chains"]]
    assert found["without"] == 5 * ["evaluation: Error: no chain arrived"], "after training, and at each quarter"


def test_what_cannot_be_measured_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def missing(*_: object) -> None:
        raise subprocess.CalledProcessError(2, "ebmkit run")

    monkeypatch.setattr(results_measured, "ROOT", tmp_path)
    monkeypatch.setattr(results_measured, "measure", missing)
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "small").mkdir()
    steps = {arm: {"steps": 8, "seconds": 0.1} for arm in ("mala", "hmc")}
    (tmp_path / "small" / "pilot.json").write_text(json.dumps(steps))
    asked = argparse.Namespace(arms=[], seeds=[0], minutes=10.0, jobs=1)
    study = results_study.study_of("small", tmp_path)
    assert results_measured.run(study, asked, time.monotonic() + 600, tmp_path) == 2
    said = capsys.readouterr().out
    assert said.count("exit status 2") == 2
    assert "mala-0.log" in said


def test_the_commit_of_a_run_is_that_which_it_was_trained_at(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text(json.dumps({"commit": 40 * "f"}))
    assert results_measured.commit(tmp_path).startswith("fffffff")
    head = results_measured.commit(tmp_path / "missing").rstrip("+")
    assert head == subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()


def test_stages_take_the_time_that_they_took(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    rows = [{"step": step, "stage": 1.0 if step <= 6 else 2.0} for step in (2, 4, 6, 8, 9)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with SummaryWriter(str(tmp_path / "tensorboard")) as writer:
        for step, second in ((1, 100.0), (6, 102.0), (9, 108.0)):
            writer.add_scalar("gap", 0.0, step, walltime=second)
    assert results_cell.shares_of_time(tmp_path, [3, 6, 9]) == {3: 0.125, 6: 0.25, 9: 1.0}
    (tmp_path / "metrics.jsonl").write_text('{"step": 8}')
    assert results_cell.shares_of_time(tmp_path, [2, 8]) == {2: 0.25, 8: 1.0}


@pytest.mark.parametrize("gap", [[9.0, -1.0, 3.0], [9.0, float("nan"), 3.0]])
def test_a_gap_that_is_not_finite_has_no_mean(gap: list[float]) -> None:
    found = of_gap({"trace": {"step": [5, 9, 10], "gap": gap}})
    assert bool(found) == (gap[1] == -1)


def test_a_metric_without_numbers_leaves_those_of_the_others_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(command: list[str], log: Path) -> None:
        fd = {"name": "fd", "estimates": {"fd-x": {"value": 1.0, "error": 0.1}}, "definition": "far", "notes": ["few"]}
        found = {"metrics": [fd], "failures": {"kid": "no chain arrived"}}
        Path(command[command.index("--out") + 1]).write_text(json.dumps(found))
        with log.open("a") as said:
            said.write("kid has no numbers: no chain arrived\n")
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(results_cell, "timed", timed)
    monkeypatch.setattr(results_cell, "ROOT", tmp_path)
    (tmp_path / "1-small.toml").write_text(SMALL)
    study = results_study.study_of("1-small", tmp_path)
    cell = results_cell.Cell(study=study, arm=study.arms[0], seed=0)
    cell.runs.mkdir(parents=True)
    (cell.runs / f"{cell.out.name}.spent").write_text("{}")
    cell.out.mkdir()
    (cell.out / "metrics.jsonl").write_text('{"step": 8}')
    found = cell.judged()
    assert found["numbers"] == {"fd: fd-x": [1.0, 0.1]}
    assert list(found["drawn"].values()) == [["far", "few"]]
    assert found["without"] == 5 * ["kid: no chain arrived"], "after training, and at each quarter"


def test_a_new_arm_is_timed_and_arms_with_results_keep_their_steps(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "pilot.json").write_text(json.dumps({"mala": {"steps": 7, "seconds": 0.06}}))
    (tmp_path / "small" / "mala-0.json").write_text("{}")
    monkeypatch.setattr(results_measured, "_a_step", lambda _, arm: {"hmc": 0.002}[arm.name])
    results_measured.pilot(results_study.study_of("small", tmp_path), tmp_path)
    assert {arm.name: arm.steps for arm in results_study.study_of("small", tmp_path).arms} == {"mala": 7, "hmc": 30}


def test_studies_that_find_rates_come_first(tmp_path: Path) -> None:
    for name in ("2-b", "1-a", "1-a-rates", "ledger", "2-b-rates"):
        (tmp_path / f"{name}.toml").write_text("")
    assert results_study.studies(tmp_path) == ["1-a-rates", "1-a", "2-b-rates", "2-b"]


def test_what_the_optimiser_is_set_to_costs_nothing() -> None:
    asked = ("--set", "optim.energy.betas=[0.0, 0.9]", "--recipe", "a b", "--set", "run.engine=eager")
    assert results_study.Arm(name="a", asked=asked).cost == "--recipe 'a b' --set run.engine=eager"


def test_what_is_kept_was_measured_as_the_study_says() -> None:
    for name in STUDIES:
        study = results_study.study_of(name)
        for arm in study.arms:
            for path in (results_study.HERE / name).glob(f"{arm.name}-[0-9].json"):
                told = json.loads(path.read_text())
                cell = results_cell.Cell(study=study, arm=arm, seed=told["seed"])
                assert told["judged"] == cell.judges, path
                assert told["steps"] == arm.steps, path
                assert told.get("asked", list(arm.asked)) == list(arm.asked), path


def test_what_a_training_took_is_kept_where_its_evaluation_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(cell: results_cell.Cell) -> dict[str, object]:
        raise results_cell.Failed("evaluation: Error")

    monkeypatch.setattr(results_cell, "ROOT", tmp_path)
    monkeypatch.setattr(results_cell.Cell, "trained", lambda cell: {"seconds": 3.0, "mib": 9.0})
    monkeypatch.setattr(results_cell.Cell, "judged", fails)
    (tmp_path / "1-small.toml").write_text(SMALL)
    study = results_study.study_of("1-small", tmp_path)
    results_measured.measure(study, study.arms[0], 0, tmp_path)
    kept = json.loads((tmp_path / "1-small" / "mala-0.json").read_text())
    assert (kept["seconds"], kept["failed"]) == (3.0, "evaluation: Error")


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_of_a_study_shows_what_was_measured(name: str) -> None:
    study = results_study.study_of(name)
    page = (results_study.HERE / f"{name}.md").read_text(encoding="utf-8")
    if any((results_study.HERE / name).glob("*-[0-9]*.json")):
        for mark, made in tables_of(results_study.HERE, study).items():
            assert f"{mark}\n{made}\n{END}" in page


def test_a_training_log_is_kept_in_few_rows(tmp_path: Path) -> None:
    rows = [{"step": step, "gap": step / 7, "other": 1} for step in range(1, 1001)]
    (tmp_path / "log").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"step": 1001}]))
    kept = results_cell.traced(tmp_path / "log", most=10)
    assert sorted(kept) == ["gap", "step"]
    assert len(kept["step"]) <= 10
    assert kept["gap"][1] == kept["step"][1] / 7


def test_a_table_says_mean_and_error_over_seeds() -> None:
    entries = [
        {"arm": "a", "steps": 3, "seconds": 60.0, "mib": 700.2, "numbers": {"fd: x": [v, 0.1]}} for v in (1.0, 2.0, 3.0)
    ]
    assert table({"a": entries}, ["fd: x"]).splitlines()[-1] == "| a | 3 | 3 | 1.0 | 700 | 2.00 ± 0.58 |"
    numbers = table_by_number({"a": entries, "b": [{"failed": "diverged"}]}, ["fd: x", "fd: y"]).splitlines()
    assert numbers == [
        "| | a, 3 seeds | b, one seed, 1 failed |",
        "|---|---|---|",
        "| x | 2.00 ± 0.58 | – |",
        "| y | – | – |",
    ]


def test_an_arm_may_take_the_steps_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.toml").write_text(SMALL + '[steps_of]\nmala = "hmc"\n')
    monkeypatch.setattr(results_measured, "_a_step", lambda _, arm: {"hmc": 0.002, "mala": 0.004}[arm.name])
    results_measured.pilot(results_study.study_of("small", tmp_path), tmp_path)
    found = {arm.name: (arm.steps, arm.seconds) for arm in results_study.study_of("small", tmp_path).arms}
    assert found == {"mala": (30, 0.12), "hmc": (30, 0.06)}


def test_a_change_of_the_code_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(command: list[str], log: Path) -> results_cell.Spent:
        made.append(command[3])
        if "--out" in command and command[3] == "eval":
            Path(command[command.index("--out") + 1]).write_text('{"metrics": []}')
        return results_cell.Spent(seconds=1.0, mib=1.0)

    made: list[str] = []
    monkeypatch.setattr(results_cell, "timed", timed)
    monkeypatch.setattr(results_cell, "ROOT", tmp_path)
    (tmp_path / "1-small.toml").write_text(SMALL.replace("curve =", "# curve ="))
    study = results_study.study_of("1-small", tmp_path)
    for code in ("old", "old", "new"):
        cell = results_cell.Cell(study=study, arm=study.arms[0], seed=0, code=code)
        cell.runs.mkdir(parents=True, exist_ok=True)
        assert cell.trained()["date"] == time.strftime("%Y-%m-%d")
        cell.judged()
    assert made == 2 * ["run", "eval"]


def test_files_of_other_data_are_asked_for_before_a_training(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(results_study.PLACES, "{data}", str(tmp_path))
    monkeypatch.setattr(results_measured, "ROOT", tmp_path)
    (tmp_path / "small.toml").write_text(SMALL.replace("--metric chains -n 16 --t", "--set x=npz:{data}/o.npz --t"))
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "pilot.json").write_text(json.dumps({arm: {"steps": 8} for arm in ("mala", "hmc")}))
    asked = argparse.Namespace(arms=["hmc"], seeds=[0], minutes=10.0, jobs=1)
    study = results_study.study_of("small", tmp_path)
    assert results_measured.run(study, asked, time.monotonic() + 600, tmp_path) == 1
    assert f"there is no {tmp_path}/o.npz" in capsys.readouterr().out
    (tmp_path / "o.npz").touch()
    assert study.missing(study.arms[0]) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--arms", "typo"], "no arm typo"),
        (["--jobs", "0"], "not a whole number from 1 on"),
        (["--minutes", "nan"], "not a number above 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(flags: list[str], said: str, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["results_measured.py", "list", *flags])
    with pytest.raises(SystemExit) as refused:
        results_measured.main()
    assert said in f"{refused.value} {capsys.readouterr().err}"
