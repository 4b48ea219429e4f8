# The commands that the README and CI call. `make help` lists them.
#
# PYTHON       the interpreter that makes the environment, 3.11 or later (found if not given)
# VENV         where the environment is made
# CONSTRAINTS  versions to install; empty for whatever pyproject.toml allows
# EXAMPLES     how many files of each kind `make fuzz` tries
# ARGS         passed on, as in: make test ARGS="tests/scan -x"

SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV ?= .venv
CONSTRAINTS ?= constraints.txt
PYTHON ?=
ARGS ?=

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
STAMP := $(VENV)/.installed
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)

.PHONY: help demo test slow lint bench fuzz chaos notebooks format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## index real works, screen a real drop, print the table, write demo/out/report.html
	@$(RUN) pipeline demo $(ARGS)

# A file's tests stay together: they share what they set up.
test: $(STAMP) ## run the tests, but for those marked slow, on all processors
	$(RUN) pytest -n auto --dist loadfile -m "not slow" $(ARGS)

slow: $(STAMP) ## run the tests marked slow: browsers, hostile files, kills, damage, object storage
	$(RUN) pytest -n auto --dist loadfile -m slow $(ARGS)

lint: $(STAMP) ## check style and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy --strict -p pipeline -p reference_index

fuzz: $(STAMP) ## change bytes in files of every kind, EXAMPLES times a kind (2000)
	CLEARANCE_FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(RUN) pytest tests/hostile/test_fuzz.py $(ARGS)

bench: $(STAMP) ## measure images/s and words/s on this machine, beside the bare libraries
	$(RUN) benchmarks.throughput $(ARGS)

notebooks: $(STAMP) ## make the .ipynb files anew from their sources
	$(RUN) jupytext --quiet --to ipynb notebooks/*.py

chaos: $(STAMP) ## kill nightly scans 200 times and compare what they end with
	$(RUN) benchmarks.chaos $(ARGS)

format: $(STAMP) ## lay the code out, and mend what ruff can mend
	$(RUN) ruff check --fix
	$(RUN) ruff format

clean: ## remove caches, builds and the demo's folder; the environment stays
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pipeline reference_index tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -f demo/.made-by-clearance-demo ]; then echo "rm -rf demo"; rm -rf demo; fi

# Made again when the dependencies change. torch and open-clip-torch are resolved together, in one
# call: a torch installed alone first may not fit the torchvision that open-clip-torch brings.
$(STAMP): pyproject.toml $(wildcard $(CONSTRAINTS))
	@if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
	  python=; without_venv=; \
	  for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	      if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
	        python=$$candidate; break; \
	      fi; \
	      without_venv="$$without_venv $$candidate"; \
	    fi; \
	  done; \
	  if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
	    echo "Clearance can't make an environment:$$without_venv has no venv module; install it" \
	      "(on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; \
	  fi; \
	  if [ -z "$$python" ]; then \
	    echo "Clearance needs Python 3.11 or later, and none of these is one: $(CANDIDATES)." \
	      "Name one: make $(or $(firstword $(MAKECMDGOALS)),demo) PYTHON=/path/to/python3.11" >&2; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$($$python --version) ..."; \
	  "$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "Installing Clearance and what it needs into $(VENV). The first time this downloads" \
	  "several GB, most of it torch, and takes minutes ..."
	@$(RUN) pip install --quiet --disable-pip-version-check --no-input \
	  $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable '.[test]'
	@touch $(STAMP)
	@echo "Installed."
