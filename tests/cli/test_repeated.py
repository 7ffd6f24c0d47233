"""Options that are given more than once."""

from __future__ import annotations


def test_an_option_of_one_value_is_given_once(cli) -> None:
    twice = ("run", "--energy", "mlp", "--data", "toy:rings", "--objective", "cd")
    cli(*twice, "--objective=energy-l2", "--dry-run").refuses("--objective is given 2 times", "as in a+b")
    cli("run", "--energy", "mlp", "--energy", "mlp", "--dry-run").refuses("--energy is given 2 times", "all but one")


def test_options_that_repeat_may_repeat(cli) -> None:
    asked = ("run", "--energy", "mlp", "--data", "toy:rings", "--objective", "cd+energy-l2", "--dry-run")
    answer = cli(*asked, "--set", "run.seed=1", "--set", "run.batch_size=8")
    assert answer.status == 0, answer.err
    assert "batch_size = 8" in answer.out


def test_the_name_of_an_option_is_no_value(cli) -> None:
    cli("run", "--out", "--dry-run").refuses("--out wants a value, and found --dry-run: write the value after it.")
    cli("run", "--set", "--seed", 3).refuses("--set wants a value, and found --seed")
