"""What is measured, what a bar says of it, and how it reads."""

from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console

from ebmkit.benchmarks.report import WIDTH, as_json, drawn, heading, judged, remarks, summary
from ebmkit.benchmarks.results import measure
from ebmkit.benchmarks.workload import Bar, Conditions, Timed, Unavailable, Way, Workload

CPU = Conditions(device=torch.device("cpu"), quick=True)


def spending(n, engine=""):
    """A way that multiplies n times, and keeps n products for autograd."""

    def make(device):
        x = torch.ones(20_000, requires_grad=True)
        return Timed(call=lambda: torch.autograd.grad(sum((x * (i + x)).sum() for i in range(n)), x), engine=engine)

    return Way(make=make, precision="fp32", bare="little", gradients=n, engine="" if engine else "eager")


def unavailable(device):
    raise Unavailable("there is no such thing here")


WORK = Workload(
    name="toy",
    title="products",
    chains=1,
    moves=2,
    gradients=7,
    seconds=0.0,
    ways={
        "little": Way(make=spending(1).make),
        "much": spending(50),
        "auto": spending(50, engine="compile"),
        "missing": Way(make=unavailable),
        "rival": Way(make=spending(50).make, style="torchebm"),
    },
    bars=(
        Bar("much", "little", 2.0),
        Bar("little", "much", 2.0),
        Bar("much", "little", most=1.05),
        Bar("much", "little", 2.0, measure="bytes"),
        Bar("rival", "little", 2.0),
    ),
)


@pytest.fixture(scope="module")
def result():
    return measure(WORK, CPU)


def test_ways_are_timed_where_they_can_be(result):
    rows = {row.way: row for row in result.rows}
    assert list(rows) == ["little", "much", "auto", "missing"]
    assert all(len(rows[name].seconds) == 2 for name in ("little", "much", "auto"))
    assert rows["missing"].note == "there is no such thing here" and not rows["missing"].seconds
    assert rows["auto"].engine == "compile" and rows["auto"].bytes_kept is None
    assert rows["much"].bytes_kept > 20 * rows["little"].bytes_kept > 0
    assert rows["much"].over_bare > 1 and rows["little"].over_bare is None
    assert rows["much"].gradients_per_second == pytest.approx(25 * rows["much"].moves_per_second)
    assert rows["little"].gradients_per_second == pytest.approx(3.5 * rows["little"].moves_per_second)


def test_bars_are_met_not_met_or_not_measured(result):
    assert [verdict.is_met for verdict in result.verdicts] == [True, False, False, True, None]
    assert summary([result]) == "2 of 4 bars met, 1 not measured."
    assert summary([]) == "0 of 0 bars met."
    assert judged(result.verdicts[0]).startswith("met ")
    assert judged(result.verdicts[1]).startswith("NOT MET ")
    assert judged(result.verdicts[4]).startswith("not measured ")


def test_a_rival_is_timed_when_asked_for():
    asked = measure(WORK, Conditions(device=torch.device("cpu"), quick=True, styles=frozenset({"torchebm"})))
    assert [row.way for row in asked.rows if row.seconds] == ["little", "much", "auto", "rival"]
    assert asked.verdicts[4].is_met is True


def test_a_workload_of_another_device_says_so():
    from dataclasses import replace

    skipped = measure(replace(WORK, device="cuda"), CPU)
    assert not skipped.rows and "needs a cuda device" in " ".join(remarks(skipped))


def test_a_workload_keeps_to_its_threads():
    from dataclasses import replace

    before = torch.get_num_threads()
    seen = []
    way = Way(make=lambda device: Timed(call=lambda: seen.append(torch.get_num_threads())))
    assert measure(replace(WORK, threads=1, ways={"a": way}, bars=()), CPU).threads == 1
    assert set(seen) == {1} and torch.get_num_threads() == before


def test_a_table_fits_into_80_columns(result):
    console = Console(width=WIDTH, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(drawn(result.rows))
    text = console.export_text()
    assert "…" not in text and max(map(len, text.splitlines())) <= WIDTH
    assert "auto (compile)" in text and "missing" not in text
    assert "2 moves and 7 gradients" in heading(result)


def test_json_is_whole(result):
    found = json.loads(json.dumps(as_json([result], CPU), allow_nan=False))
    assert found["environment"]["versions"]["torch"] and found["environment"]["threads"]
    work = found["workloads"][0]
    assert work["name"] == "toy" and work["rows"][1]["seconds"] == list(result.rows[1].seconds)
    assert work["bars"][0]["is_met"] is True and work["bars"][0]["most"] is None
