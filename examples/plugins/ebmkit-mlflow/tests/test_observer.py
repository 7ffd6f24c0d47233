"""MLflow is told of a run what its files say, by a small double of its client, and by MLflow where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ebmkit_mlflow import Mlflow
from ebmkit_mlflow.flat import numbers, parameters, plain
from ebmkit_mlflow.observer import MlflowObserver, tracking_uri

import ebmkit


class Client:
    """Remembers what it is told; some methods fail."""

    def __init__(self, *fails: str) -> None:
        self.fails, self.told, self.params, self.metrics = fails, [], {}, {}

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return f"number of {name}"

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.told.append(("run", experiment, run_name))
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_param(self, run: str, name: str, value: str) -> None:
        assert name not in self.params, "MLflow refuses another value"
        self.params[name] = value

    def log_metric(self, run: str, name: str, value: float, timestamp: int, step: int) -> None:
        self._fail("log_metric")
        self.metrics.setdefault(name, []).append((step, value))

    def __getattr__(self, name: str) -> Any:
        return lambda *what, **how: (self._fail(name), self.told.append((name, *what[1:], *how.values())))

    def _fail(self, name: str) -> None:
        if name in self.fails:
            raise ConnectionError("no network")


def fit(client: Client, out: Path | None = None, **config: Any) -> Any:
    observer = MlflowObserver(Mlflow(**config), client)
    return ebmkit.fit(
        "mlp", torch.randn(64, 2), sampler="mala", observer=observer, steps=3, out=out, progress=False,
        settings={"log.every": 2, "log.tensorboard": False},
    )  # fmt: skip


def test_it_is_told_the_recipe_the_numbers_the_pictures_the_report_and_the_end(tmp_path: Path) -> None:
    client = Client()
    model = fit(client, tmp_path / "run")
    assert client.told[0] == ("run", "number of ebmkit", "run")
    assert (client.params["sampler"], client.params["sampler.mala.moves"]) == ("mala", "10")
    assert client.params["run.steps"] == "3" and "optim.energy.lr" in client.params
    assert client.metrics["gap"] == [(entry["step"], entry["gap"]) for entry in model.history]
    sent = [Path(told[1]).name for told in client.told if told[0] == "log_artifact"]
    assert sent == ["step-00000003.png", "recipe.toml", "environment.json", "report.html"]
    assert client.told[-1] == ("set_terminated", "FINISHED")


def test_a_run_that_goes_on_goes_on_in_mlflow(tmp_path: Path) -> None:
    client = Client()
    fit(client, tmp_path / "run", report=False)
    again = Client()
    ebmkit.resume(
        tmp_path / "run", steps=4,
        given={"data": torch.randn(64, 2), "observer": MlflowObserver(Mlflow(report=False), again)},
    )  # fmt: skip
    assert again.told[0] == ("update_run", "RUNNING") and not again.params
    assert [step for step, _ in again.metrics["gap"]] == [4]


def test_a_store_that_is_gone_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    client = Client("log_metric", "set_terminated")
    assert fit(client).history[-1]["step"] == 3
    assert "MLflow was not told: ConnectionError: no network" in caplog.text


def test_a_store_that_is_not_there_at_the_start_is_said() -> None:
    client = Client()
    client.create_experiment = lambda name: client._fail("create_experiment")
    client.fails = ("create_experiment",)
    with pytest.raises(ebmkit.PluginError, match="start failed before the first step: ConnectionError"):
        fit(client)


def test_names_and_settings_are_such_as_mlflow_takes() -> None:
    assert plain("eval/ood/mnist, energy: AUROC") == "eval/ood/mnist_ energy_ AUROC"
    named = ebmkit.as_recipe({"sampler": [{"use": "mala"}, {"use": "mala", "moves": 3}], "run": {"steps": 5}})
    assert parameters(named)["sampler.1.mala.moves"] == "3"
    estimate = SimpleNamespace(value=0.5)
    found = SimpleNamespace(metrics=[SimpleNamespace(name="fd", estimates={"FD": estimate})])
    assert numbers(found) == {"eval/fd/FD": 0.5}


def test_a_store_is_a_folder_or_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri("") == (Path.cwd() / "mlruns").as_uri() and tracking_uri("http://here") == "http://here"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert tracking_uri("") == "http://there" and tracking_uri("mine").endswith("/mine")


def test_what_is_missing_is_said_before_anything_is_written(tmp_path: Path) -> None:
    if importlib.util.find_spec("mlflow"):
        pytest.skip("MLflow is installed")
    with pytest.raises(ebmkit.CapabilityError, match="pip install"):
        ebmkit.fit("mlp", torch.randn(64, 2), observer="mlflow", out=tmp_path / "run", steps=1, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_run_lies_in_a_store_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    ebmkit.fit(
        "mlp", torch.randn(64, 2), sampler="mala", observer=Mlflow(store="mlruns"), steps=3, out="run", progress=False
    )
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("ebmkit").experiment_id])
    assert run.info.status == "FINISHED" and run.data.params["sampler"] == "mala"
    assert "gap" in run.data.metrics
    assert {item.path for item in client.list_artifacts(run.info.run_id)} >= {"pictures", "recipe.toml", "report.html"}
