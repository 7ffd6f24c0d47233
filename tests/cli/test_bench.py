"""`ebmkit bench`, on a workload of a millisecond."""

from __future__ import annotations

import json

import pytest

from ebmkit.benchmarks import catalogue
from ebmkit.benchmarks.workload import Bar, Timed, Way, Workload

QUICK = ("bench", "--quick", "--device", "cpu")


@pytest.fixture(autouse=True)
def one_workload(monkeypatch):
    ways = {
        "one": Way(make=lambda device: Timed(call=lambda: None)),
        "other": Way(make=lambda device: Timed(call=lambda: None), style="published"),
    }
    work = Workload(name="idle", title="nothing", chains=1, moves=1, ways=ways, bars=(Bar("other", "one", 1e9),))
    monkeypatch.setattr(catalogue, "workloads", lambda components: [work])


def test_a_table_and_the_bars(cli):
    answer = cli(*QUICK, "--style", "published")
    assert answer.status == 0, answer.err
    assert "idle: nothing" in answer.out and "NOT MET" in answer.out
    assert answer.out.splitlines()[-1] == "0 of 1 bars met.", "a benchmark is no test: its status is 0"
    assert "\x1b" not in answer.out and max(map(len, answer.out.splitlines())) < 120


def test_json_is_one_object(cli):
    found = json.loads(cli(*QUICK, "--json").out)
    assert [row["way"] for row in found["workloads"][0]["rows"]] == ["one"]
    assert found["workloads"][0]["bars"][0]["is_met"] is None
    assert found["environment"]["device"] == "cpu" and found["conditions"]["quick"] is True


def test_listing_times_nothing(cli):
    assert cli("bench", "--list").out.split() == ["name", "what", "idle", "nothing"]


def test_what_is_not_known_is_refused(cli):
    cli(*QUICK, "--only", "idel").refuses("There is no workload 'idel'", "Did you mean 'idle'?")
    cli(*QUICK, "--against", "torchebn").refuses("--against torchebn is unknown", "torchebm")
    cli(*QUICK, "--style", "publishd").refuses("--style publishd is unknown", "published")


def test_a_rival_that_is_not_installed_is_named_with_its_extra(cli, monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from ebmkit.benchmarks import torchebm_side

    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(torchebm_side, "version", absent)
    cli(*QUICK, "--against", "torchebm").refuses("not installed", "ebmkit-core[bench]")
