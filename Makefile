# Everything a newcomer types. Each target prepares .venv by itself; a second `make` does not install again.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# Bytecode is left to the first import: compiling everything at once takes longer than the parts that are used. Where the
# environment forbids it (common in containers), each of a run's 1,400 modules would be compiled anew each time.
export PYTHONDONTWRITEBYTECODE =
PIP := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check

# $(call locked,runtime dev): those parts of the lock, as a requirements file.
locked = <(sed -n $(foreach part,$(1),-e '/^. == $(part):/,/^. == /p') requirements.lock)

# $(call install,runtime dev): those parts of the lock, torch, then Stillhouse itself. Nothing is installed, nor run to
# build something, whose sha256 is not in the lock: what has no wheel is built with the lock's setuptools, which comes first.
# The lock is whole, so pip looks for no requirements (`.ci/run` has it check that none is missing). Torch built for the CPU
# alone is taken where pip finds it (an index or a folder that it is set up with), else PyPI's with CUDA's libraries.
define install
	$(PIP) --require-hashes --requirement $(call locked,build)
	$(PIP) --require-hashes --no-deps --no-build-isolation --requirement $(call locked,$(1))
	@said="$$($(PIP) --require-hashes --no-deps --requirement $(call locked,cpu) 2>&1)" || { \
	  grep -q 'No matching distribution found' <<<"$$said" || { echo "$$said" >&2; exit 1; }; \
	  $(PIP) --require-hashes --no-deps --requirement $(call locked,cuda); }
	$(PIP) --no-deps --no-build-isolation --editable .
endef

.PHONY: help demo test drill check smoke bench figures up install lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else \
	  f"Python {v[0]}.{v[1]} found; Stillhouse needs 3.11, 3.12 or 3.13. Give one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml requirements.lock
	@echo "Installing Stillhouse into .venv (about two minutes the first time)"
	$(call install,runtime)
	@touch $@

.venv/.installed-dev: .venv/bin/python pyproject.toml requirements.lock
	@echo "Installing Stillhouse and its development tools into .venv (about two minutes the first time)"
	$(call install,runtime dev)
	@touch .venv/.installed $@

.venv/.installed-bench: .venv/bin/python pyproject.toml requirements.lock
	@echo "Installing Stillhouse and what it is compared with into .venv (about two minutes the first time)"
	$(call install,runtime bench)
	@touch .venv/.installed $@

install: ## what a flow needs, installed again as it is in requirements.lock (the first time every target does it by itself)
	rm -f .venv/.installed
	$(MAKE) --no-print-directory .venv/.installed

demo: .venv/.installed ## from SQL to a released classifier on this machine (10-15 minutes; free the second time)
	$(BIN)/python -m flows.end_to_end

# So little training need not pass the gate: its exit codes 3 (fail) and 4 (needs more rows) are results here.
smoke: .venv/.installed ## the same flow, tiny, in about a minute
	$(BIN)/python -m flows.end_to_end --preset smoke || (( $$? == 3 || $$? == 4 ))

bench: .venv/.installed-bench ## the newest release beside what else one could use; BigQuery's ways out; large data sets; language models: into docs/
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.warehouse
	$(BIN)/python -m tests.benchmarks.reading
	if test -d ../shared/data; then for each in masked_lm causal_lm; do \
	  $(BIN)/python -m tests.benchmarks.$$each --data ../shared/data; done; fi

figures: .venv/.installed-dev ## the tables of README and docs, from the figures in docs/figures that the measurements left
	$(BIN)/python -m tests.benchmarks.figures

up: .venv/.installed ## Prefect server and MLflow UI on 127.0.0.1 until Ctrl-C
	$(BIN)/stillhouse up

# One thread per worker: two workers that each use both cores spoil each other's time. A third one only imports everything
# once more: 366 s instead of 356.
test: export OMP_NUM_THREADS = 1
test: .venv/.installed-dev ## the test suite (under 6 minutes on 2 cores)
	$(BIN)/python -m pytest -m 'not slow' --numprocesses 2 --dist loadfile --durations 30 $(COVERAGE)

# CI asks for it; tracing makes every test a quarter slower.
COVERAGE ?=

# What `make drill` runs; CI leaves out the whole runs and the peers (pyproject.toml says what they are).
DRILL ?= slow

# Not part of `make test`, whose six minutes they would double; CI runs both. Four workers: these tests mostly wait, for
# servers and for retries.
drill: export OMP_NUM_THREADS = 1
drill: .venv/.installed-dev ## the slow tests: whole flows killed in each stage, twice at once, on a full disk; real servers; every way to quantize; pages in Chromium
	$(BIN)/python -m pytest -m '$(DRILL)' --numprocesses 4 --dist loadfile --durations 60

check: .venv/.installed-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Made with the uv that the lock itself has.
lock: ## requirements.lock made anew, from what the ranges of pyproject.toml give today
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --requirement $(call locked,lock)
	PATH="$$PWD/.venv-lock/bin:$$PATH" .ci/lock
	rm -rf .venv-lock

clean: ## caches and builds; the results stay (.stillhouse: delete the folder for a full reset)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build htmlcov *.egg-info
	rm -f .coverage .coverage.*
	find flows tasks infra tests -name __pycache__ -type d -prune -exec rm -rf {} +
