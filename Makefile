# `make run` and `make test` do all the set-up there is; see README.md for the same without make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-only lint types bench docs clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.installed  ## install, train configs/housing.yaml, say where the run and its pictures are
	$(BIN)/linreg train -c configs/housing.yaml

test: $(VENV)/.installed-test lint types test-only  ## install the test tools; lint, types and tests

lint: $(VENV)/.installed-test  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test  ## mypy, strict
	$(BIN)/mypy

test-only: $(VENV)/.installed-test  ## pytest
	$(BIN)/python -m pytest

bench: $(VENV)/.installed-test  ## time the steps against their peers and the floors; write the tables
	$(BIN)/python -m benchmarks.steps
	$(BIN)/python -m benchmarks.tables

docs: $(VENV)/.installed-test  ## write the generated pages again
	$(BIN)/python docs/generate.py

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("linreg needs Python 3.11 or later, and this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing what constraints.txt pins into $(VENV), which takes a minute or two"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.installed
