# Everything a newcomer or CI runs. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements/all.txt)

.PHONY: help demo test check format lint types tests faults conformance bench docs layers deploy lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.locked: requirements/all.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Tidegate needs Python 3.11 or newer: make PYTHON=python3.11 …") if sys.version_info < (3, 11) else None'
	@echo "making $(VENV) from requirements/all.txt"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements/all.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(VENV)/.locked ## release the example service, commit after commit, in the local cloud
	$(BIN)/tidegate demo

test: tests ## the same as tests

tests: $(VENV)/.locked ## all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not conformance"

check: format lint types tests ## what CI runs

format: $(VENV)/.locked ## fail where the formatting differs
	$(BIN)/ruff format --check

lint: $(VENV)/.locked ## ruff with nearly all rules
	$(BIN)/ruff check

types: $(VENV)/.locked ## mypy, strict
	$(BIN)/mypy

faults: $(VENV)/.locked ## a fault at every AWS call of releases; FAULTS=--every for every kind at each
	$(BIN)/python -m tests.faults $(FAULTS)

conformance: $(VENV)/.locked ## public samples beside the checkout, read in place
	$(BIN)/python -m pytest -q -m conformance

bench: $(VENV)/.locked ## the benchmarks, side by side
	$(BIN)/python -m benchmarks

docs: $(VENV)/.locked ## write the generated pages of the reference
	$(BIN)/python -m docs

layers: $(VENV)/.locked ## the layers of the functions for Lambda, from the lock
	$(BIN)/python -m infra.layers

deploy: layers ## deploy the pipeline and its stages to AWS by the usual credentials
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npx --yes aws-cdk@2 deploy --all

lock: ## renew the locks
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-header --no-annotate pyproject.toml --output-file requirements/all.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --constraints requirements/all.txt pyproject.toml --output-file requirements/runtime.txt
	@awk '/^uv==/{on=1} on{print} on&&!/\\$$/{exit}' requirements/all.txt > requirements/toolchain.txt

clean: ## remove what the targets made
	rm -rf $(VENV) build
