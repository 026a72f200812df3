# The words a person types; CI types the same ones.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1

TASK ?= flights
STAGE ?= Production
PORT ?= 5001
UI_PORT ?= 5000

INSTALLED := $(VENV)/installed

.PHONY: help install repro repro-all test format lock serve ui bench-gate bench-rows bench-serving screenshot clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED)  ## make .venv from the pinned versions

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.11 to 3.13; name one with make PYTHON=python3.12"; exit 1; }
	@test ! -L $(VENV) || { echo "error: $(VENV) is a link, and what it leads to would be emptied; remove the link or update its target"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r <(grep -A99 '^uv==' requirements.lock | sed '/^    # via/,$$d')
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(VENV)/bin/uv pip install --require-hashes --compile-bytecode -r requirements.lock
	@printf 'export %s\n' DVC_NO_ANALYTICS=1 MLFLOW_DISABLE_TELEMETRY=true ORT_DISABLE_TELEMETRY=1 >> $(VENV)/bin/activate
	@touch $@

repro: install  ## prepare, train, register and promote what changed of TASK
	@start=$$(date +%s); \
	python -m training check $(TASK) && python -m registry check && dvc repro register@$(TASK) \
	&& python -m training share $$start

repro-all: install  ## the same for every task
	@start=$$(date +%s); \
	python -m training check && python -m registry check && dvc repro && python -m training share $$start

test: install  ## format, lint, types and tests
	ruff format --check .
	ruff check .
	mypy
	pytest

format: install  ## put the code into its form
	ruff format .
	ruff check --fix .

lock: install  ## pin the versions that pyproject.toml allows
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-header --quiet --upgrade -o requirements.lock

serve: install  ## answer over HTTP on PORT for every model, by default with the version of TASK in STAGE
	python -m serving --default $(TASK)/$(STAGE) --port $(PORT)

ui: install  ## MLflow's pages on UI_PORT
	mlflow ui --host 127.0.0.1 --port $(UI_PORT)

bench-gate: install  ## how often the gate promotes equal and better challengers
	python -m benchmarks.gate

bench-serving: install  ## speed and memory of serving against MLflow's server and others
	python -m benchmarks.serving

bench-rows: install  ## seconds and memory from 50,000 rows to five million
	python -m benchmarks.rows

screenshot: install  ## the pictures of MLflow in the README
	python -m tests.screenshot

clean:  ## remove what the pipeline made: snapshots, splits, candidates, MLflow's store, copies
	rm -rf data/raw data/prepared candidates mlflow.db* mlruns .serving dvc.lock .dvc/cache .dvc/tmp
