# Everything sets itself up: `make demo` and `make test` need Python 3.11+, make and git.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2

# Nobody is told that this ran, and nothing draws a bar into a log.
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := yes
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What is imported is compiled once, not by every process anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo dagster data-docs test lint parse pytest check seed build bench real crash clean

help:
	@echo "make demo    half a million events to invoices, on DuckDB, with a summary"
	@echo "make dagster the Dagster UI on the demo's house (PORT=n)"
	@echo "make data-docs  what Great Expectations expects of the house, and finds, as a page"
	@echo "make test    lint, dbt parse and every test, on DuckDB and a real Postgres"
	@echo "make lint    ruff and sqlfluff"
	@echo "make check   the catalogue as a whole, every fault with its file and line"
	@echo "make seed    the catalogue and the reference tables into the warehouse"
	@echo "make build   all models, from what has been landed"
	@echo "make bench   10 million events beside the floor (EVENTS=n for another number, TERMS=1);"
	@echo "             HISTORY=1: one more day on 36 months beside one on a month (EVENTS=n a day);"
	@echo "             CREDITS=1: prepaid credits of 10,000 customers drawn down (TARGET=postgres);"
	@echo "             EXPORTS=1: 10,000 closed invoices as JSON, CSV, Parquet, HTML and PDF;"
	@echo "             DAGSTER=1: a day of the demo from Dagster beside plain dbt"
	@echo "make real    real usage from ../shared/data"
	@echo "make crash   kill -9 at 40 moments on each engine, run again, compare (MOMENTS=n, SEED=n)"
	@echo "make clean   what was built; the environment and the warehouse stay"

setup: $(INSTALLED) profiles.yml

# The lock file is complete, so nothing is resolved; what is never imported is never compiled.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or later is needed; name it with: make PYTHON=python3.12 ..." >&2; \
	    exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --no-compile --no-deps --require-hashes \
	    -r requirements.lock
	@$(BIN)/python -m pip install -qq --no-compile --no-deps --editable .
	@touch $@

profiles.yml: profiles.yml.example
	@test -f $@ || cp $< $@
	@touch $@

demo: setup
	@$(BIN)/tally demo

dagster: setup
	@$(BIN)/python -m orchestration.defs.start $(if $(PORT),--port $(PORT))

data-docs: setup
	@$(BIN)/python -m expectations.data_docs

test: lint parse pytest

lint: setup
	@$(BIN)/ruff check .
	@mkdir -p target/lint
	@# Models whose SQL is written for the catalogue compile where the catalogue stands.
	@rm -f target/lint/tally.duckdb
	@TALLY_DUCKDB_PATH=target/lint/tally.duckdb DBT_TARGET_PATH=target/lint \
	    $(BIN)/dbt --quiet build --target duckdb \
	    --exclude-resource-type test --exclude-resource-type unit_test
	@TALLY_DUCKDB_PATH=target/lint/tally.duckdb DBT_TARGET_PATH=target/lint \
	    $(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests/data

parse: setup
	@TALLY_DUCKDB_PATH=target/lint/tally.duckdb DBT_TARGET_PATH=target/lint \
	    $(BIN)/dbt --quiet --warn-error parse --target duckdb

pytest: setup
	@$(BIN)/pytest -q -n $(WORKERS)

check: setup
	@$(BIN)/tally check

seed: setup
	@$(BIN)/dbt --quiet seed

build: setup
	@$(BIN)/tally build

bench: setup
	@$(BIN)/python -m benchmarks.bench $(if $(EVENTS),--events $(EVENTS)) $(if $(TERMS),--terms) \
	    $(if $(HISTORY),--history) $(if $(CREDITS),--credits) $(if $(EXPORTS),--exports) \
	    $(if $(DAGSTER),--dagster) \
	    $(if $(TARGET),--target $(TARGET))

real: setup
	@$(BIN)/python -m benchmarks.real

crash: setup
	@$(BIN)/python -m tests.crash $(if $(MOMENTS),--moments $(MOMENTS)) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf target logs .pytest_cache .ruff_cache
