"""One torch thread, derandomised hypothesis in CI, a registry that knows core and the bundled plugins."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")


SLOW = tuple((Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").splitlines())
"""Beginnings of the names of the tests that `make test-fast` leaves out; `tests/slow.py` measures and writes them."""


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known."""
    config.addinivalue_line("markers", "slow: takes seconds; `make test-fast` leaves it out (tests/slow.txt)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the slow tests, and skips those that need a device where there is none."""
    without = pytest.mark.skip(reason="needs a CUDA device, and there is none")
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available():
            item.add_marker(without)
        if item.nodeid.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
