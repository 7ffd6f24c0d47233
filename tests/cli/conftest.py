"""The command line in this process, with core alone, in an empty folder; and one small trained run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ebmkit.cli.main import main
from ebmkit.plugins import host as plugins

SMALL = ("--set", "energy.widths=[8]", "--set", "run.batch_size=8", "--set", "buffer.capacity=16",
         "--set", "sampler.sgld.moves=2", "--set", "log.tensorboard=false")  # fmt: skip
TOY = ("--energy", "mlp", "--sampler", "sgld", "--data", "toy:moons", *SMALL)


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    def refuses(self, *words: str, status: int = 2) -> None:
        """Asserts one readable message with these words, and nothing else."""
        assert self.status == status, self.err
        assert "Traceback" not in self.err
        for word in words:
            assert word in self.err, self.err


Cli = Callable[..., Answer]


@pytest.fixture(autouse=True)
def core_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EBMKIT_PLUGINS", "")
    monkeypatch.delenv("EBMKIT_STRICT", raising=False)
    monkeypatch.delenv("EBMKIT_DATA", raising=False)
    monkeypatch.setattr(plugins, "_host", None)
    monkeypatch.setattr("ebmkit.display.doing.PATIENCE", 3600.0)  # a slow machine says nothing more
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: object) -> Answer:
        status = main([str(argument) for argument in arguments])
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture
def toy() -> tuple[str, ...]:
    """Flags of a run that takes a second."""
    return TOY


@pytest.fixture
def small() -> tuple[str, ...]:
    """Settings that make any `mlp` run small."""
    return SMALL


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 4 steps with checkpoints at 2 and 4; not to be changed."""
    directory = tmp_path_factory.mktemp("trained") / "toy"
    flags = ("--steps", "4", "--set", "checkpoint.every=2", "--set", "log.every=1", "--out", str(directory))
    assert main(["run", *TOY, *flags]) == 0
    return directory
