# Thin names for commands; each first makes sure of the virtual environment.
.PHONY: up down status env shell test check mutants bench format venv
PYTHON := .venv/bin/python
SHELL := /bin/bash
# The first build what all others need, or end processes by the dozen. The others wait more than they work, so four
# workers share two cores; the long ones come first.
FIRST := tests/lab tests/csi
TOGETHER := tests/e2e tests/engine tests/integration tests/standins

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
	$(PYTHON) -m pytest -m lab $(FIRST)
	$(PYTHON) -m pytest -m lab -n 4 --dist loadfile --no-loadscope-reorder $(TOGETHER)

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
