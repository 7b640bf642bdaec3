# Two targets are all that a newcomer needs: `make study` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install study ui test soak format

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# The stamp is newer than pyproject.toml when all that pyproject.toml asks for is installed.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

install: $(VENV)/installed  ## make .venv and install everything into it

study: install  ## run the main job: a laptop study of the gradient-norm method
	$(BIN)/python -m study.launch --space gradnorm

ui: install  ## show the newest study in outputs/ in MLflow on http://127.0.0.1:5000; ARGS="NAME --open"
	$(BIN)/python -m study.ui $(ARGS)

test: install  ## lint, types, import contracts, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: install  ## kill and resume a study 20 times; stop the tracking server under another one
	$(BIN)/python -m tests.integration.soak
	$(BIN)/python -m tests.integration.outage

format: install  ## let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
