# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*/pyproject.toml)
DEMO ?= runs/demo

.PHONY: help setup demo test soak lint format clean

help:
	@echo "make demo    train CLEL on Fashion-MNIST garments (about 10 minutes on 2 cores), then draw fresh samples"
	@echo "make test    the whole test suite"
	@echo "make soak    faults: kills, damaged bytes, two writers, full disks"
	@echo "make lint    ruff, mypy, import-linter"

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt $(PLUGINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ebmkit needs Python 3.11 or newer; found $$($(PYTHON) --version). Set PYTHON=python3.11, say."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' $(addprefix -e ,$(dir $(PLUGINS)))
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py --out $(DEMO)

test: setup
	$(BIN)/python -m pytest -n 2

soak: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak.faults --kills 60 --damages 200
	OMP_NUM_THREADS=1 $(BIN)/python tests/soak/fuzz.py 5000

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
