"""`report` from the shell: one page, said where; requests that cannot be met are refused."""

from __future__ import annotations

import shutil
from pathlib import Path


def test_a_page_beside_the_run(cli, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "toy")
    answer = cli("report", "toy", "-n", 4)
    assert answer.status == 0 and answer.out.startswith("toy/report.html: 0.")
    html = Path("toy/report.html").read_text(encoding="utf-8")
    assert "4 fresh chains of step 4" in html and "toy:moons" in html


def test_several_runs_into_a_file_without_their_models(cli, trained: Path) -> None:
    assert cli("report", trained, trained, "--out", "both.html", "--no-sampling").status == 0
    assert "the model was not asked" in Path("both.html").read_text(encoding="utf-8")


def test_bad_requests(cli, trained: Path) -> None:
    cli("report", "nowhere").refuses("holds no run")
    cli("report", trained, "--out", "no/where.html").refuses("there is no folder no")
    cli("report", "pretrained:nothing").refuses("No run 'nothing' comes with ebmkit")
    cli("report", trained, "--device", "abacus").refuses("abacus")
    cli("report").refuses("Missing argument")
