"""An observer that tells MLflow of a run."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ebmkit
from ebmkit_mlflow.declarations import MlflowConfig
from ebmkit_mlflow.flat import numbers, parameters, plain

STATUS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
NOTE = "mlflow.json"
"""A file in the directory of a run that holds the number of the run in MLflow, so that it goes on there."""

_log = logging.getLogger(__name__)


class MlflowObserver:
    """Tells MLflow of a run. A store that cannot be reached at the start ends the run; later it is only a warning.

    Args:
        config: where to, and what.
        client: an `mlflow.MlflowClient`, or what has its methods.
    """

    def __init__(self, config: MlflowConfig, client: Any) -> None:
        self.config, self.client = config, client
        self.id = ""

    def start(self, run: ebmkit.RunInfo) -> None:
        """Makes a run in MLflow, or goes on with that of this directory."""
        note = None if run.directory is None else run.directory / NOTE
        if note is not None and note.is_file() and run.first_step > 1:
            self.id = json.loads(note.read_text(encoding="utf-8"))["run_id"]
            self.client.update_run(self.id, status="RUNNING")
            return
        made = self.client.create_run(self._experiment(), run_name=self.config.name or run.name)
        self.id = made.info.run_id
        for name, value in parameters(run.recipe).items():
            self.client.log_param(self.id, name, value)
        if note is not None:
            note.write_text(json.dumps({"run_id": self.id}) + "\n", encoding="utf-8")

    def step(self, report: ebmkit.LoggedStep, run: ebmkit.RunInfo) -> None:
        """Sends the numbers of a step."""
        self._send(report.values, report.step)

    def evaluation(self, found: ebmkit.Evaluation, run: ebmkit.RunInfo) -> None:
        """Sends the numbers of an evaluation."""
        self._send(numbers(found), found.step)

    def picture(self, path: Path, step: int, run: ebmkit.RunInfo) -> None:
        """Sends a picture."""
        if self.config.pictures:
            self._safely(self.client.log_artifact, self.id, str(path), "pictures")

    def alarm(self, found: Any, run: ebmkit.RunInfo) -> None:
        """Keeps a warning as a tag of the run."""
        self._safely(self.client.set_tag, self.id, f"alarm.{found.name}", found.text)

    def end(self, run: ebmkit.RunInfo, ending: ebmkit.Ending) -> None:
        """Sends the files of the run and says how it ended."""
        for path in self._files(run, ending):
            self._safely(self.client.log_artifact, self.id, str(path))
        if ending.error is not None:
            self._safely(self.client.set_tag, self.id, "error", str(ending.error))
        self._safely(self.client.set_terminated, self.id, STATUS[ending.how])

    def _files(self, run: ebmkit.RunInfo, ending: ebmkit.Ending) -> list[Path]:
        if run.directory is None:
            return []
        if self.config.report and ending.how == "finished":
            self._safely(ebmkit.report, run.directory, sampling=False)
        names = ("recipe.toml", "environment.json", "alarms.jsonl", "report.html")
        return [run.directory / name for name in names if (run.directory / name).is_file()]

    def _experiment(self) -> str:
        known = self.client.get_experiment_by_name(self.config.experiment)
        return str(known.experiment_id if known else self.client.create_experiment(self.config.experiment))

    def _send(self, values: Mapping[str, float], step: int) -> None:
        now = int(time.time() * 1000)  # ms since 1970
        for name, value in values.items():
            self._safely(self.client.log_metric, self.id, plain(name), float(value), now, step)

    def _safely(self, tell: Callable[..., object], *what: Any, **how: Any) -> None:
        """Tells, and warns where that fails: what MLflow misses is no reason to end a run."""
        try:
            tell(*what, **how)
        except Exception as error:
            _log.warning("MLflow was not told: %s: %s", type(error).__name__, error)


def tracking_uri(store: str) -> str:
    """Returns what MLflow calls a store; a folder becomes "file:///…"."""
    found = store or os.environ.get("MLFLOW_TRACKING_URI", "mlruns")
    return found if ":" in found else Path(found).resolve().as_uri()


def build_mlflow(config: MlflowConfig, context: ebmkit.BuildContext) -> MlflowObserver:
    """Builds the observer; raises CapabilityError where MLflow is not installed, or does not know such a store."""
    uri = tracking_uri(config.store)
    if uri.startswith("file:"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 asks for this word, and keeps its files
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ebmkit.CapabilityError(
            'The observer mlflow was asked for, and MLflow is not installed: pip install "ebmkit-mlflow[mlflow]".'
        ) from error
    try:
        return MlflowObserver(config, MlflowClient(tracking_uri=uri))
    except MlflowException as error:
        raise ebmkit.CapabilityError(f"MLflow cannot use the store {uri!r} (observer.store): {error}") from error
