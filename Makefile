# Thin names for commands; each first makes sure of the virtual environment.
.PHONY: up down status env shell test check mutants bench format venv
PYTHON := .venv/bin/python
SHELL := /bin/bash
# Those that share a lab, or end processes by the dozen, one after the other; those that wait more than they work
# beside each other.
ALONE := tests/lab tests/csi tests/e2e
TOGETHER := tests/standins tests/engine tests/integration

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
	$(PYTHON) -m pytest -m 'not lab' -n auto --dist worksteal

test: check
	$(PYTHON) -m pytest -m lab $(ALONE)
	$(PYTHON) -m pytest -m lab -n 3 --dist loadfile $(TOGETHER)

# Each mistake of tests/MISTAKES.md put into the code: its test must fail.
mutants: venv
	@$(PYTHON) -m tests.mutations

# Figures that need no lab; nothing is judged.
bench: venv
	@PYTHONPATH=sidecar $(PYTHON) -m bench

format: venv
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

venv:
	@lab/bootstrap >&2
