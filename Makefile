# `make demo` and `make test` need Python 3.11+ and pip, and set up everything else themselves in $(VENV).
# Variables: VENV (virtual environment), PYTHON (interpreter that makes it), OUTPUT (demo), TEST_EXTRAS (what the tests
# need), PYTEST_ARGS, BENCH_ARGS.

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11 python,\
	$(shell $(name) -c 'import ensurepip, sys, venv; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
VENV ?= .venv
OUTPUT ?= demo-output
TEST_EXTRAS ?= test
PYTEST_ARGS ?=
BENCH_ARGS ?=

BIN := $(VENV)/bin
# Installing is editable, so only a change of the metadata or of the environment's location installs again.
METADATA := setup.cfg setup.py
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --editable

.PHONY: demo test test-checked lint types contracts check bench clean

demo: $(VENV)/.pipeline-installed
	$(BIN)/dataprep demo --output $(OUTPUT)

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n auto --dist loadgroup $(PYTEST_ARGS)

# The same tests, with kernels that look at every index: reading or writing outside an array is an error.
test-checked: export NUMBA_BOUNDSCHECK = 1
test-checked: test

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test-installed
	$(BIN)/mypy

contracts: $(VENV)/.test-installed
	$(BIN)/lint-imports

check: lint types contracts test

bench: $(VENV)/.pipeline-installed
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

clean:
	rm -rf $(VENV) $(OUTPUT) build dist *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
	  echo "make: no Python 3.11 or newer with the venv module was found: install one (Debian and Ubuntu keep"; \
	  echo "      venv apart, in the package python3-venv) or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python"; \
	  exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.pipeline-installed: $(METADATA) | $(BIN)/python
	@echo "Installing dataprep with its pipeline into $(VENV): a few minutes on the first run."
	$(INSTALL) '.[pipeline]'
	@touch $@

$(VENV)/.test-installed: $(METADATA) | $(BIN)/python
	@echo "Installing dataprep with its pipeline and test tools into $(VENV): a few minutes on the first run."
	$(INSTALL) '.[$(TEST_EXTRAS)]'
	@touch $@ $(VENV)/.pipeline-installed
