"""One plugin of each kind, as generated: built, installed, checked by its own tests, and run."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ebmkit.plugins.component import KINDS
from ebmkit.template.naming import LONGEST
from ebmkit.template.write import NewPlugin, write_plugin
from tests.installing import environment, install, run

pytest.importorskip("copier")

LIST_ALL = """
import sys
from ebmkit.cli.main import main
assert main(["plugins"]) == main(["list"]) == main(["recipes"]) == 0
assert not {"torch", "numpy", "copier"} & set(sys.modules)
"""

RUN_ALL = """
import sys
from ebmkit.cli.main import main
for kind in sys.argv[1:]:
    names = f"run --recipe my-{kind}-example --steps 2 --out runs/{kind} --set run.checked_steps=1"
    assert main([*names.split(), "--set", "log.tensorboard=false"]) == 0, kind
    assert main(["cite", f"my-{kind}"]) == 0, kind
    recipe = open(f"runs/{kind}/recipe.toml").read()
    assert f"my-{kind}" in recipe or kind == "metric", kind
assert main("eval runs/metric --metric my-metric -n 64 --n-data 64 --transitions 1".split()) == 0
"""


def test_one_of_each_kind_is_built_installed_checked_and_run(home, tmp_path):
    folders = [tmp_path / f"ebmkit-my-{kind}" for kind in KINDS]
    for kind, folder in zip(KINDS, folders, strict=True):
        write_plugin(NewPlugin(name=f"my-{kind}", kind=kind), folder)
    site = tmp_path / "site"
    install(site, *folders)
    env = environment(site)
    listed = run([sys.executable, "-c", LIST_ALL], tmp_path, env)
    assert all(f"ebmkit-my-{kind} 0.1.0" in listed for kind in KINDS)
    tests = [str(folder / "tests") for folder in folders]
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", str(folders[0] / "pyproject.toml")]
    run([sys.executable, "-m", "pytest", *quiet, *tests], tmp_path, env)
    assert "energy distance" in run([sys.executable, "-c", RUN_ALL, *KINDS], tmp_path, env)


@pytest.mark.parametrize("name", ["ab", "a" * 8 + "-" + "b" * (LONGEST - 9)])
def test_names_of_any_length_keep_lint_and_format(name, home, tmp_path):
    ruff = shutil.which("ruff") or pytest.skip("ruff is not installed")
    for kind in KINDS:
        write_plugin(NewPlugin(name=name, kind=kind), tmp_path / kind)
    for words in (["check"], ["format", "--diff"]):
        done = subprocess.run([ruff, *words, "--no-cache", str(tmp_path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
