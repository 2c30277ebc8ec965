# Everything a developer or CI does here. `make` alone prints the list.

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
JOBS ?= $(shell nproc)

# The stamps say which installation the environment holds, so that a second call costs nothing.
RUN_STAMP := $(VENV)/.run
DEV_STAMP := $(VENV)/.dev
COMPILED := $(VENV)/.compiled

.DEFAULT_GOAL := help
.PHONY: help run test check format bench constraints changelog clean

help:
	@echo 'make run          install what is needed and start a key manager in the foreground'
	@echo 'make test         install what is needed and run the whole suite'
	@echo 'make check        format, lint, types, import contracts, generated files'
	@echo 'make format       rewrite the sources in the house format'
	@echo 'make bench        print the performance table (BENCH="--quick" for a short run)'
	@echo 'make constraints  renew constraints.txt from the newest releases'
	@echo 'make changelog    print the changelog of what is not released yet'
	@echo 'make clean        remove the environment and the caches'
	@echo
	@echo 'PYTHON=... picks the interpreter (3.11 or later), DIR=... the data directory of `run`,'
	@echo 'TESTS="tests/unit -k ttlv" limits `test`, JOBS=N sets its processes.'

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Strongroom needs Python 3.11 or later; set PYTHON=... to one.' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo 'No virtual environment could be made; on Debian: apt-get install python3-venv' >&2; exit 1; }

# Building needs two packages of its own; without isolation they are pinned like the rest.
$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@

# Python compiles what it imports and keeps that, unless PYTHONDONTWRITEBYTECODE is set, as in many containers:
# then every start of a server would compile all of it again, which takes as long as everything else.
$(COMPILED): $(shell find src -name '*.py') | $(BIN)/python
	@$(BIN)/python -m compileall -q src
	@touch $@

run: $(RUN_STAMP) $(COMPILED)
	@exec $(BIN)/strongroom dev $(DIR)

# Without reordering, what takes long comes first, and no process is left alone with it in the end.
test: $(DEV_STAMP) $(COMPILED)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(DEV_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@for generator in tools/gen_*.py; do \
		echo "$$generator --check"; $(BIN)/python $$generator --check || exit 1; done
	$(BIN)/python tools/changelog.py --check

format: $(DEV_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV_STAMP) $(COMPILED)
	$(BIN)/python -m bench.run $(BENCH)

constraints: | $(BIN)/python
	$(BIN)/python tools/pin.py

changelog: | $(BIN)/python
	@$(BIN)/python tools/changelog.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
