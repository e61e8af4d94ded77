# Two commands tell the whole story: make repro, make test.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install repro ablations test lint clean
PRESET ?= cpu
SWEEPS ?= $(shell $(BIN)/python -c "from pmind.ablations.sweeps import SWEEPS; print(*SWEEPS, sep=',')")

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1 - /'

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 13), "pmind needs Python 3.11 or 3.12; try make PYTHON=python3.11"'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[dev]'
	@touch $(READY)

install: $(READY)  ## make .venv and install everything into it

repro: $(READY)  ## run the pipeline: what is up to date is left alone
	dvc repro
	@pmind results

ablations: $(READY)  ## run every sweep: a night on a CPU; PRESET=gpu for the large ones, SWEEPS=ratio,rank for some
	@usual=$$(mktemp) && cp params.yaml "$$usual" && trap 'exit 130' INT TERM && \
	trap 'cat "$$usual" > params.yaml; rm -f "$$usual"' EXIT && \
	dvc exp run --keep-going --single-item $(foreach change,$(SET),-S '$(change)') \
	  -S ablations.preset=$(PRESET) -S 'ablations.sweeps=[$(SWEEPS)]' ablate report

test: $(READY)  ## run the tests
	python -m pytest

lint: $(READY)  ## check style and format
	ruff check
	ruff format --check

clean:  ## remove what the pipeline made; the committed metrics stay
	rm -rf data/* .dvc/cache .dvc/tmp
	git checkout -- data
