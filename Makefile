# Thin names for commands; each first makes sure of the virtual environment.
.PHONY: up down status env shell test check bench format venv
PYTHON := .venv/bin/python
SHELL := /bin/bash

up: venv
	@$(PYTHON) -m lab up

down: venv
	@$(PYTHON) -m lab down

status: venv
	@$(PYTHON) -m lab status

# For `eval "$(make -s env)"`: prints exports and nothing else.
env: venv
	@$(PYTHON) -m lab env

shell: venv
	@$(PYTHON) -m lab shell

check: venv
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) -m pytest -m 'not lab'

test: check
	$(PYTHON) -m pytest -m lab

# Figures that need no lab; nothing is judged.
bench: venv
	@PYTHONPATH=sidecar $(PYTHON) -m bench

format: venv
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

venv:
	@lab/bootstrap >&2
