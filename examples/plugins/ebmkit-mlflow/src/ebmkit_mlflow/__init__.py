"""Runs of ebmkit in MLflow."""

from ebmkit_mlflow.declarations import MlflowConfig as Mlflow

__all__ = ["Mlflow"]
