# Everything runs in .venv, which the first target that needs it creates.
#
#   make mnist   train the tutorial's network        make mnist ARGS="--epochs 2"
#   make test    every check and every test          make test ARGS="-k gather"
#   make docs    the site, in docs/_build/html
#
# A machine needs Python 3.11 or later with pip, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
JOBS ?= 2
BIN := .venv/bin
SOURCES := minijax backends tutorials benchmarks tests docs/conf.py docs/_ext

.DEFAULT_GOAL := help
.PHONY: help mnist test lint format bench docs clean

help:
	@sed -n 's/^#   *//p' Makefile

mnist: .venv/.tutorials
	$(BIN)/python tutorials/mnist.py $(ARGS)

test: lint
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: .venv/.test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/pyright --pythonpath $(BIN)/python

format: .venv/.test
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/.bench
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/dispatch.py
	$(BIN)/python benchmarks/mnist.py $(ARGS)

docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build dist .pytest_cache .ruff_cache .hypothesis

# One empty file for each set of extras says that it is installed; a change of pyproject.toml asks again.
.venv/.tutorials: EXTRAS := tutorials
.venv/.test: EXTRAS := tutorials,test,parity
.venv/.bench: EXTRAS := tutorials,bench
.venv/.docs: EXTRAS := docs

.venv/.tutorials .venv/.test .venv/.bench .venv/.docs: pyproject.toml | $(BIN)/python
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --editable '.[$(EXTRAS)]'
	@touch $@

# --without-pip: Debian's Python cannot put pip into an environment unless python3-venv is installed.
# The pip of $(PYTHON) installs into it from outside.
$(BIN)/python:
	$(PYTHON) -m venv --without-pip .venv
