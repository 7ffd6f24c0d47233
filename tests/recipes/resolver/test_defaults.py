"""The parts that nobody named suit the data."""

from __future__ import annotations

import pytest

from ebmkit.cli.main import main


@pytest.mark.parametrize("law", ["ising", "potts"])
def test_discrete_data_alone_are_enough_for_a_run(law, tmp_path, capsys):
    flags = ("--steps", "2", "--set", "log.tensorboard=false", "--out", str(tmp_path / "run"))
    assert main(["run", "--data", f"toy-discrete:{law}", *flags]) == 0
    said = "".join(capsys.readouterr())
    assert "added sampler gibbs-with-gradients" in said and "added energy mlp" in said
