# Two commands do everything on a machine with Python 3.11 to 3.13 and make:
#   make demo    simulate, train, export, prove, and run the daemon, into ./demo
#   make test    every test
# Both create .venv when it is missing and are safe to run again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: byte-compiling TensorFlow up front costs more than the first import that does it lazily.
PIP := $(BIN)/python -m pip install --no-compile --disable-pip-version-check -c constraints.txt
PACKAGE := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check format clean

help:
	@sed -n '2,5s/^# *//p' Makefile
	@echo "  make check   formatter, linters, type checkers, import rules"
	@echo "  make format  let the formatter rewrite the sources"
	@echo "  make clean   remove .venv and everything that was made"

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "make: $(PYTHON) is not 3.11 to 3.13 (TensorFlow). Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo-installed: $(VENV)/created $(PACKAGE)
	@echo "make: installing analyte for the demo (TensorFlow is large: a minute or two)"
	$(PIP) -e '.[train,export,cpu,litert]'
	@touch $@

$(VENV)/dev-installed: $(VENV)/created $(PACKAGE)
	@echo "make: installing analyte for development (TensorFlow is large: a minute or two)"
	$(PIP) -e '.[train,export,cpu,litert,dev]'
	@touch $@ $(VENV)/demo-installed

demo: $(VENV)/demo-installed
	$(BIN)/analyte demo --out demo --overwrite

test: $(VENV)/dev-installed
	$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/dev-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright

format: $(VENV)/dev-installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
