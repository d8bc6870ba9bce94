# make demo      the light core (no torch) and two predicted photos in demo/
# make test      the tests and what they need, without the slow proofs   (make test ARGS="-k geometry")
# make test-all  all tests
# make parity    the table of our networks against recordings   (make parity GOLDEN=FOLDER)
# make lint      ruff: rules and format        make types   mypy, strict
# make clean     removes what the above made
#
# One environment, .venv: `demo` puts the light core in it, `test`, `lint` and `types` add the rest, in
# any order. The install is editable, so it is only repeated when pyproject.toml changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# One worker a core. A worker that runs out of tests takes some of another.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal

.PHONY: help demo test test-all parity lint types clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/.light
	$(BIN)/hrnet predict examples/astronaut.jpg examples/several.jpg --out demo/

test: $(VENV)/.dev
	$(PYTEST) -m "not slow" $(ARGS)

test-all: $(VENV)/.dev
	$(PYTEST) $(ARGS)

parity: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m parity $(GOLDEN) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "hrnet needs Python 3.11 or newer, '$(PYTHON)' is not; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.light: $(VENV)/.made pyproject.toml
	@echo "Installing the light core into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing hrnet with torch and the test tools into $(VENV); the first time takes minutes ..."
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.light
