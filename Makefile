# What a newcomer and the continuous integration both type; every target installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A virtual CPU device is a thread pool: two workers of eight devices are what two cores carry.
WORKERS ?= 2
# The browser is Debian's chromium: where there is none, `make test-system SYSTEM=system`.
SYSTEM ?= system or browser
# It wants an older orbax-checkpoint than ours, and uses none: see the extra onnx in pyproject.toml.
ONNX := jax2onnx==0.17.1

.PHONY: quickstart test test-system fast lint clean

quickstart: $(VENV)/.installed
	$(BIN)/python -m experiments.quickstart

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not system and not browser"

test-system: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "$(SYSTEM)"

fast: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow and not system and not browser"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[serve]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps '$(ONNX)'
	touch $@ $(VENV)/.installed
