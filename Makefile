# `make run` and `make test` do all the set-up there is; see README.md for the same without make.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Where `make bench-peers` was run, its environment; the others' absence is a line in the tables.
BENCH   = $(if $(wildcard $(VENV)-bench/.installed),$(VENV)-bench/bin/python,$(BIN)/python)

# axe-core 4.12.1, which checks accessibility.
AXE    := axe-playwright-python==0.1.8

# Each of the hundreds of processes of the tests and benchmarks would compile the sources again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-only test-slow test-oldest test-browser browser-tools tracker-tools lint types bench bench-peers bench-quick docs clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

run: $(VENV)/.installed  ## install, train configs/housing.yaml, say where the run and its pictures are
	$(BIN)/linreg train -c configs/housing.yaml

test: $(VENV)/.installed-test lint types test-only  ## install the test tools; lint, types and tests

lint: $(VENV)/.installed-test  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test  ## mypy, strict
	$(BIN)/mypy

# A process a core, and a process that has nothing left to do takes tests of another.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-only: $(VENV)/.installed-test  ## pytest
	$(PYTEST)

test-slow: $(VENV)/.installed-test  ## the long forms too: 200 kills, 10,000 hostile inputs, 50 runs at once
	$(PYTEST) -m "slow or not slow"

test-oldest: pyproject.toml tests/data/oldest.txt  ## the tests with the oldest dependencies that pyproject.toml allows
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --constraint tests/data/oldest.txt --editable '.[test,tensorboard,mlflow]'
	$(VENV)-oldest/bin/python -m pytest --numprocesses auto --dist worksteal

test-browser: browser-tools  ## the report in a real browser, with axe-core; installs both if it can
	$(BIN)/python -m pytest -rs tests/test_report_browser.py

# What cannot be installed is not: its tests skip by name. Of the package only axe-core, a script, is used.
browser-tools: $(VENV)/.installed-test
	command -v chromium > /dev/null || { apt-get update --quiet && apt-get install --quiet --yes chromium poppler-utils; } || true
	$(BIN)/python -m pip install --quiet --no-deps '$(AXE)' || true

# Each by itself, so that one that cannot be installed does not take the other with it.
tracker-tools: $(VENV)/.installed-test  ## what trackers are read back with, 170 MB; what cannot be installed is skipped by the tests
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[tensorboard]' || true
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mlflow]' || true

bench-peers: $(VENV)-bench/.installed  ## install what `make bench` compares with, beside the environment

bench: $(VENV)/.installed-test  ## the three tables of docs/performance.md: half an hour on an idle machine
	$(BENCH) -m benchmarks

bench-quick: $(VENV)/.installed-test  ## has linreg become slower? ratios of now against stored ones, under two minutes
	$(BIN)/python -m benchmarks.quick

docs: $(VENV)/.installed-test  ## write the generated pages again
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/gallery.py

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) $(VENV)-bench $(VENV)-oldest .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info

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

$(VENV)-bench/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@
