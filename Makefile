# The portal's commands. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

TESTS ?= tests
AUDIO ?=
ONCE ?=

.PHONY: help setup run demo test lint types contracts format tensorboard shell lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## Everything a fresh machine needs: environment, page parts, database, tiny models
	@$(BIN)/python manage.py prepare

run: setup ## The portal and its workers, at http://127.0.0.1:8000 (BIND=host:port to change)
	@$(BIN)/honcho -e /dev/null -f Procfile start

demo: $(VENV)/installed ## A recording becomes a voice that speaks (AUDIO=path for your own, ONCE=1 to end afterwards)
	@$(BIN)/python -m xttsproject.demo $(if $(AUDIO),--audio "$(AUDIO)") $(if $(filter-out 0 no false,$(ONCE)),--once)

test: $(VENV)/installed ## The whole test suite (TESTS=path for a part of it)
	@$(BIN)/python manage.py vendor
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile $(TESTS)

lint: $(VENV)/installed ## Style of code and templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@git ls-files '*.html' | xargs -r $(BIN)/djade --check --target-version 5.2

types: $(VENV)/installed ## Static types
	@$(BIN)/mypy .

contracts: $(VENV)/installed ## Which part may import which
	@$(BIN)/lint-imports

format: $(VENV)/installed ## Put code and templates into the project's style
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .
	@git ls-files '*.html' | xargs -r $(BIN)/djade --target-version 5.2

tensorboard: $(VENV)/installed ## Curves of all training runs, at http://127.0.0.1:6006 (below TENSORBOARD_URL's path, if it has one)
	@$(BIN)/python manage.py tensorboard

shell: setup ## Django's shell
	@$(BIN)/python manage.py shell

lock: $(VENV)/installed ## Resolve the requirements anew
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes \
		--python-version 3.11 --no-header --upgrade -q -o requirements.lock

clean: ## Remove the environment and the page parts; data in var/ stays
	@rm -rf $(VENV) node_modules static/vendor

# uv is installed first, by pip and with its locked hash; everything else by uv, which is many times faster.
$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Set PYTHON=path." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ {on=1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@echo "Installing the locked requirements (about 5 GB once they are unpacked)…"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@touch $@
