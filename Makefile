# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*/pyproject.toml)
DEMO ?= runs/demo
STUDY ?=
BUDGET ?= 60
N ?= 3
TRIED := $(shell mktemp -u -d)

.PHONY: help setup demo test test-fast soak objectives results ledger lint docs format wheels try-wheels lowest clean

help:
	@echo "make demo    train on Fashion-MNIST garments (about 8 minutes on 2 cores), then draw fresh samples"
	@echo "make test    the whole test suite"
	@echo "make test-fast  what is not marked slow: under 3 minutes on 2 cores"
	@echo "make soak    faults: kills, damaged bytes, two writers, full disks, fuzzed inputs, hostile files, costs (10 minutes)"
	@echo "make results BUDGET=60  what is left of the studies in docs/results, as far as so many minutes go; STUDY=NAME"
	@echo "make ledger N=3  makes numbers of three commands of the documentation again, by chance, and flags what is off"
	@echo "make objectives  every objective on six laws, docs/objectives.md (under 2 hours on 2 cores; stop and start it)"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make docs    the documentation site, in site/"
	@echo "make wheels  the packages of a release, in dist/; make try-wheels installs and uses them without this folder"
	@echo "make lowest  the whole test suite on the lowest versions that are promised"

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

test-fast: setup
	$(BIN)/python -m pytest -n 2 -m "not slow"
soak: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak.faults --kills 24 --damages 500 --writers 6 --disks
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak.faults --recipes --kills 156 --several 20
	OMP_NUM_THREADS=1 $(BIN)/python tests/soak/fuzz.py 5000
	mkdir $(TRIED) && OMP_NUM_THREADS=1 $(BIN)/python tests/data/hostile.py $(TRIED); tried=$$?; rm -rf $(TRIED); exit $$tried
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.soak.costs

results: setup
	$(BIN)/python docs/results_measured.py run $(STUDY) --minutes $(BUDGET)

ledger: setup
	$(BIN)/python docs/ledger.py run --n $(N)

objectives: setup
	OMP_NUM_THREADS=1 $(BIN)/python docs/objectives_measured.py

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

wheels: setup
	rm -rf dist
	for package in . $(dir $(PLUGINS)); do $(BIN)/python -m build --outdir dist $$package || exit 1; done
	$(BIN)/python docs/check_wheels.py dist

try-wheels: wheels
	$(PYTHON) -m venv $(TRIED)
	$(TRIED)/bin/python -m pip install --disable-pip-version-check -c constraints.txt dist/*.whl
	$(TRIED)/bin/python -m pip check
	cd $(TRIED) && for words in plugins list "run --data toy:rings --steps 5 --out rings" "sample rings -n 4 --out r.png" \
		"sample pretrained:garments -n 4 --out new.png"; do bin/ebmkit $$words || exit 1; done

lowest:
	$(PYTHON) docs/lowest.py > $(VENV)-lowest.txt
	$(PYTHON) -m venv $(VENV)-lowest
	$(VENV)-lowest/bin/python -m pip install --disable-pip-version-check -c $(VENV)-lowest.txt -e '.[testing]' \
		$(addprefix -e ,$(dir $(PLUGINS))) pytest-xdist arviz-stats
	$(VENV)-lowest/bin/python -m pytest -n 2

clean:
	rm -rf $(VENV) $(VENV)-lowest $(VENV)-lowest.txt dist runs site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
