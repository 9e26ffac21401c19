# Everything here sets itself up: `make` needs Python 3.11 or newer with its venv module, nothing else.
# Another interpreter: `make test PYTHON=python3.13` (it gets a virtual environment of its own).

PYTHON ?= python3
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
LOCK := requirements/development.txt
READY := $(VENV)/.ready

PYTEST_OPTIONS ?= -n 2
ORM_FUZZ_EXAMPLES ?= 20000

TY := --python $(BIN)/python --output-format concise
PYREFLY := --python-interpreter-path $(BIN)/python --output-format min-text

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help demo test fuzz lint types format clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## Load the Chinook data into SQLite and query it (or another database: make demo URL=postgresql://...)
	@$(BIN)/python examples/chinook/demo.py $(URL)

test: lint types ## Lint, types and all tests
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

fuzz: $(READY) ## Try many random queries and revisions (so many: ORM_FUZZ_EXAMPLES=20000)
	ORM_FUZZ_EXAMPLES=$(ORM_FUZZ_EXAMPLES) $(BIN)/python -m pytest $(PYTEST_OPTIONS) tests/test_properties*.py

lint: $(READY) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## Check the types with mypy, pyright, ty and pyrefly in their strict modes
	$(BIN)/mypy
	$(BIN)/mypy examples/chinook
	$(BIN)/mypy migrations_example
	MYPYPATH=examples:examples/chinook $(BIN)/mypy -p music_api -p catalogue
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/ty check $(TY) orm
	$(BIN)/ty check $(TY) --extra-search-path examples/chinook examples
	$(BIN)/ty check $(TY) --extra-search-path migrations_example migrations_example
	$(BIN)/pyrefly check $(PYREFLY)
	$(BIN)/pyrefly check $(PYREFLY) --search-path . --search-path examples --search-path examples/chinook 'examples/**/*.py'
	$(BIN)/pyrefly check $(PYREFLY) --search-path . --search-path migrations_example 'migrations_example/**/*.py'

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what make made: virtual environments, caches, builds
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.13")'
	@echo "Installing $(LOCK) into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
