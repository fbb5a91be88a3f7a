# The single door: `make demo` and `make test` work on a fresh machine with Python 3.11 and git.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
# exec, pickle, marshal, eval, unsafe YAML, a shell, what pyproject.toml bans: nothing in src is spared by a noqa
NEVER := S102,S301,S302,S307,S506,S602,S604,S605,S609,TID251
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all:
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --custom-compile-command "make lock" --group build $(ARGS)

.PHONY: help demo install test slow soak check audit sbom lock format bench bench-cost clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	$(BIN)/ruff check --ignore-noqa --select $(NEVER) src
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house/lengths.py
	$(BIN)/typos

audit: $(VENV)/.dev ## known vulnerabilities in what the locks pin; says when the database cannot be asked
	$(BIN)/python tests/house/audit.py requirements-dev.txt

sbom: $(VENV)/.dev ## dist/sbom.cdx.json: what an installed codeflow consists of, as CycloneDX
	rm -rf build/sbom && $(PYTHON) -m venv --without-pip build/sbom && mkdir -p dist
	$(PIP) --python build/sbom install $(LOCKED) -r requirements.txt
	$(PIP) --python build/sbom install --no-deps --no-build-isolation .
	version=$$(build/sbom/bin/python -c 'import codeflow; print(codeflow.__version__)') && \
	sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml > build/sbom/pyproject.toml
	$(BIN)/cyclonedx-py environment --pyproject build/sbom/pyproject.toml --output-reproducible --validate -o dist/sbom.cdx.json build/sbom

lock: $(VENV)/.dev ## pin what pyproject.toml asks for, with hashes; ARGS=--upgrade takes the newest of everything
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --all-extras pyproject.toml -o requirements-dev.txt

format: $(VENV)/.dev ## rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## start-up, damaged edits, repository map, search, documentation, 500 turns, sandbox, workflows, a fast stream; fetches what it measures on
	$(BIN)/python tests/bench/startup.py
	$(BIN)/python -m tests.bench.edits
	$(BIN)/python tests/bench/repomap.py
	$(BIN)/python -m tests.bench.docs
	$(BIN)/python -m tests.bench.soak
	$(BIN)/python -m tests.bench.sandbox
	$(BIN)/python -m tests.bench.workflows
	$(BIN)/python -m tests.bench.prompt

bench-cost: $(VENV)/.dev ## what a solved task costs: one agent, cascade, graph, workflows; ARGS=--help
	$(BIN)/python -m tests.bench.cost $(ARGS)

clean: ## forget the virtual environment and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml requirements.txt | $(BIN)/python
	$(PIP) install $(LOCKED) -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# cyclonedx-bom brings rfc3987-syntax, which jsonschema then imports in every codeflow that a test starts: a second each
$(VENV)/.dev: pyproject.toml requirements-dev.txt | $(BIN)/python
	$(PIP) install $(LOCKED) -r requirements-dev.txt
	$(PIP) uninstall --yes rfc3987-syntax
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime
