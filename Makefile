# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*/pyproject.toml)
DEMO ?= runs/demo

.PHONY: help setup demo test lint docs format clean

help:
	@echo "make demo    train CLEL on Fashion-MNIST garments (about 10 minutes on 2 cores), then draw fresh samples"
	@echo "make test    the whole test suite"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make docs    the documentation site, in site/"

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

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html; for its search: $(BIN)/python -m http.server -d site"

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
