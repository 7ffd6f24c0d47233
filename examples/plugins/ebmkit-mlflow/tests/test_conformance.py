from tempfile import mkdtemp

import pytest

from ebmkit.testing import conformance

pytest.importorskip("mlflow")  # without it nothing can be built; test_observer.py has a double of its client

test_conforms = conformance("ebmkit-mlflow", settings={"mlflow": {"store": mkdtemp()}})
