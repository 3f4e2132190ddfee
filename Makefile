# Two commands do everything on a machine with Python 3.11 to 3.13 and make:
#   make demo    simulate, train, export, prove, and run the daemon, into ./demo
#   make test    every test
# Both create .venv when it is missing and are safe to run again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: byte-compiling TensorFlow up front costs more than the first import that does it lazily.
PIP := $(BIN)/python -m pip install --no-compile --disable-pip-version-check -c constraints.txt
# One process per core; a file's tests stay together, since they share what its fixtures trained.
PARALLEL := -n auto --dist loadfile
PACKAGE := pyproject.toml constraints.txt

# Without bytecode every one of hundreds of processes compiles what it imports: three times as slow.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo instrument test gpu check format clean

help:
	@sed -n '2,5s/^# *//p' Makefile
	@echo "  make instrument   a simulated instrument with its web page, of what make demo made"
	@echo "  make gpu     the tests that need an NVIDIA GPU, in .venv-gpu"
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
	$(PIP) -e '.[train,export,cpu,litert,serve]'
	@touch $@

$(VENV)/dev-installed: $(VENV)/created $(PACKAGE)
	@echo "make: installing analyte for development (TensorFlow is large: a minute or two)"
	$(PIP) -e '.[train,export,cpu,litert,dev]'
	@touch $@ $(VENV)/demo-installed

demo: $(VENV)/demo-installed
	$(BIN)/analyte demo --out demo --overwrite

demo/instrument.toml:
	$(MAKE) demo

# Ctrl-C ends it; the next start goes on with the same record.
instrument: $(VENV)/demo-installed demo/instrument.toml
	@echo "make: a simulated instrument; its page is at http://127.0.0.1:8080"
	cd demo && ../$(BIN)/analyte daemon --device instrument.toml --bundle nitrite.analyte >> instrument.jsonl

test: $(VENV)/dev-installed
	$(BIN)/python -m pytest $(PARALLEL) $(PYTEST)

# In a place of its own: onnxruntime and onnxruntime-gpu are the same module and overwrite each other.
$(VENV)-gpu/installed: $(PACKAGE)
	$(PYTHON) -m venv $(VENV)-gpu
	$(VENV)-gpu/bin/python -m pip install --no-compile -c constraints.txt -e '.[train,export,litert,dev]'
	$(VENV)-gpu/bin/python -m pip uninstall -y onnxruntime
	$(VENV)-gpu/bin/python -m pip install --no-compile -c constraints.txt 'onnxruntime-gpu[cuda,cudnn]'
	-$(VENV)-gpu/bin/python -m pip install --no-compile 'tensorrt-cu13<11'
	@touch $@

# TensorRT knows no option that keeps float32 what it is; NVIDIA's libraries know this variable.
gpu: $(VENV)-gpu/installed
	NVIDIA_TF32_OVERRIDE=0 $(VENV)-gpu/bin/python -m pytest -m gpu -rs $(PYTEST)

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
	rm -rf $(VENV) $(VENV)-gpu demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
