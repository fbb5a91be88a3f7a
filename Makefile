# The single door: `make demo` and `make test` work on a fresh machine with Python 3.11 and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check

.PHONY: help demo install test slow soak check format bench clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## set up, then repair a failing test against the embedded endpoint
	@$(BIN)/codeflow demo

install: $(VENV)/.dev ## everything for working on codeflow

test: $(VENV)/.dev ## all tests but the slow ones and the soak
	$(BIN)/pytest

slow: $(VENV)/.dev ## toolchains from the registries, and every attack on the sandbox
	$(BIN)/pytest -m slow

soak: $(VENV)/.dev ## two hundred kills of a run, each resumed to the same end; SEEDS=4: forty
	SEEDS=$(or $(SEEDS),20) $(BIN)/pytest -m soak

check: $(VENV)/.dev ## lint, format, types, import contracts, lengths, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house/lengths.py
	$(BIN)/typos

format: $(VENV)/.dev ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## start-up, damaged edits, repository map, search, documentation, 500 turns, sandbox; fetches what it measures on
	$(BIN)/python tests/bench/startup.py
	$(BIN)/python -m tests.bench.edits
	$(BIN)/python tests/bench/repomap.py
	$(BIN)/python -m tests.bench.docs
	$(BIN)/python -m tests.bench.soak
	$(BIN)/python -m tests.bench.sandbox

clean: ## forget the virtual environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[dev,local]'
	@touch $@ $(VENV)/.runtime
