# One verb each. Every target does its own set-up; nothing but Python 3.11 and make is needed.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DO_NOT_TRACK := 1

.PHONY: help setup demo demo-bigquery-wire up test test-bigquery lint soak bench bench-full clean distclean docs lock

help: ## what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(STAMP) ## install the locked packages into .venv

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages (about 2 GB, a few minutes the first time) ..."
	@# The lock is complete: pip must not resolve anew. Its resolver looks at newer releases of packages
	@# that are asked for with extras, finds no hash for them and gives up.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: $(STAMP) ## the whole pipeline on a simulated company, about four minutes
	@$(BIN)/python -m demo run

demo-bigquery-wire: $(STAMP) ## the same through BigQuery's REST API: a fake of it on this machine
	@$(BIN)/python -m demo run --warehouse bigquery-wire

up: $(STAMP) ## Airflow's pages and the sandbox on 127.0.0.1, until Ctrl-C
	@$(BIN)/python -m demo up

test: $(STAMP) ## all tests, under twelve minutes
	@$(BIN)/python -m pytest -n 3 --dist loadfile -m "not soak and not bigquery"

test-bigquery: $(STAMP) ## the same against a real BigQuery project, if TRUELINE_TEST_BIGQUERY_PROJECT says which
	@$(BIN)/python -m pytest -m bigquery tests/live

soak: $(STAMP) ## long fault runs
	@$(BIN)/python -m pytest -m soak

lint: $(STAMP) ## style, types, words, and every SQL statement by the real GoogleSQL analyser
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tests.lint
	@$(BIN)/python -m tests.googlesql

bench: $(STAMP) ## how long things take, printed
	@$(BIN)/python -m tests.bench

bench-full: $(STAMP) ## at full size: files of five million events, a year of ten million submissions
	@$(BIN)/python -m tests.bench.files full
	@$(BIN)/python -m tests.bench.scale

clean: ## remove what make made; .venv stays (make distclean removes it too)
	@rm -rf .demo .demo-bigquery .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf $(VENV)

docs: $(STAMP) ## make the generated reference pages anew
	@$(BIN)/python -m trueline.model.reference > docs/reference/tables.md
	@$(BIN)/python -m trueline.report.measures > docs/reference/measures.md
	@$(BIN)/python -m tests.googlesql.two_engines

lock: ## write requirements.lock anew (needs uv)
	@uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra dev --no-header pyproject.toml --output-file requirements.lock
