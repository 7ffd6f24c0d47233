"""What this package offers to ebmkit, and what it can be set to. Imports no torch and no MLflow."""

from dataclasses import dataclass
from pathlib import Path

from ebmkit import Component, short_repr


@short_repr
@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowConfig:
    """Tells MLflow of a run: its recipe, its numbers, its pictures, its warnings and its report.

    Attributes:
        store: where to: a folder, "http://HOST", "sqlite:///FILE" (with all of MLflow); empty for what
            MLFLOW_TRACKING_URI says, else the folder mlruns. Passwords belong in the environment, as
            MLFLOW_TRACKING_PASSWORD: the recipe is written down.
        experiment: of MLflow; it is made where there is none of the name.
        name: of the run in MLflow; empty for the name of its directory.
        pictures: send the pictures that the run draws.
        report: send the page of the report, made of the files of the run, where it finished.
    """

    store: str = ""
    experiment: str = "ebmkit"
    name: str = ""
    pictures: bool = True
    report: bool = True


COMPONENTS = (
    Component(
        kind="observer",
        name="mlflow",
        config=MlflowConfig,
        build="ebmkit_mlflow.observer:build_mlflow",
        summary="tells MLflow of the run: recipe, numbers, pictures, report (needs ebmkit-mlflow[mlflow])",
        cite="Matei Zaharia, Andrew Chen, Aaron Davidson, Ali Ghodsi, Sue Ann Hong, Andy Konwinski, "
        "Siddharth Murching, Tomas Nykodym, Paul Ogilvie, Mani Parkhe, Fen Xie, Corey Zumar (2018). "
        "Accelerating the machine learning lifecycle with MLflow. IEEE Data Engineering Bulletin",
    ),
)

RECIPES = Path(__file__).parent / "recipes"
