# `make demo` and `make test` are all that a newcomer needs; `make` lists the rest.
# Another interpreter: `make test PYTHON=python3.12`. Arguments for pytest: `make test ARGS="-k affine -x"`;
# more processes: `make test WORKERS=8`.

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.stamp
DOCS_STAMP := $(VENV)/.stamp-docs
SITE  := docs/_build

.DEFAULT_GOAL := help
.PHONY: help setup demo test triton examples docs tutorial lint format types layers check clean bench-peers bench-accuracy

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## make .venv and install pullback and its tools into it

demo: $(STAMP)  ## register the built-in example, write a report, say where it is and what it found
	@$(BIN)/pullback demo

test: $(STAMP)  ## run the tests
	@$(BIN)/python -m pytest -n $(WORKERS) --ignore=tests/docs $(ARGS)

triton: $(STAMP)  ## check the GPU kernels on this CPU, by Triton's interpreter (installs triton, 190 MB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt triton
	@TRITON_INTERPRET=1 $(BIN)/python -m pytest -n $(WORKERS) tests/contracts/test_kernels.py -k cuda $(ARGS)

examples: $(STAMP)  ## run every example of the README, the pages in docs/ and the docstrings
	@$(BIN)/python -m pytest -n $(WORKERS) tests/docs $(ARGS)

docs: $(DOCS_STAMP)  ## build the site, the tutorial included; warnings are errors (PULLBACK_DATA=folder for real images)
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -d $(SITE)/doctrees docs $(SITE)/html
	@echo "The site: $(SITE)/html/index.html"

tutorial: $(STAMP)  ## run the tutorial's pages as programs, keep their figures (PAGES="03 mutual"; PULLBACK_DATA=folder)
	@$(BIN)/python docs/run_tutorial.py $(PAGES)

lint: $(STAMP)  ## check style and formatting (ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(STAMP)  ## repair what can be repaired of style and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAMP)  ## check the types (mypy)
	@$(BIN)/mypy

layers: $(STAMP)  ## check who imports whom (import-linter)
	@$(BIN)/lint-imports

check: test triton lint types layers examples tutorial docs  ## everything that CI checks

bench-peers: $(STAMP)  ## compare with other tools, see docs/benchmarks.md (QUICK=1, STEPS="...", SIZE="192 224 192", REPEATS=3)
	@$(BIN)/python benchmarks/peers/environments.py
	@$(BIN)/python benchmarks/peers/compare.py $(STEPS) $(if $(QUICK),--quick) $(if $(SIZE),--size $(SIZE)) $(if $(REPEATS),--repeats $(REPEATS))

bench-accuracy: $(STAMP)  ## accuracy beside other tools, see docs/accuracy.md (SETS="acdc oasis" TOOLS="pullback greedy")
	@$(if $(filter-out pullback,$(or $(TOOLS),all)),$(BIN)/python benchmarks/peers/environments.py)
	@$(BIN)/python benchmarks/accuracy/table.py run $(SETS) $(if $(TOOLS),--tools $(TOOLS))
	@$(BIN)/python benchmarks/accuracy/table.py page

clean:  ## remove the environment and everything that was made
	rm -rf $(VENV) .bench build dist demo-result tutorial-result docs/_build docs/tutorial .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes from constraints.txt only: a bare `torch` is a download of several gigabytes on Linux.
$(STAMP): pyproject.toml constraints.txt $(wildcard CMakeLists.txt native/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "pullback needs Python 3.11 or newer; '$(PYTHON)' says: $$($(PYTHON) --version 2>&1 || true)" >&2; \
	  echo "Install one, or name one that you have: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
	  echo "Could not make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group test --group lint
	@touch $@

$(DOCS_STAMP): $(STAMP)
	@echo "Adding what the site is built with ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group docs
	@touch $@
