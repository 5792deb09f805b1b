# Two commands: `make up` shows the living city, `make test` proves the software. Needs Python 3.11+ alone.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
WEB := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null) hatch_build.py

.PHONY: up test e2e check bench clean

up: .venv/installed
	$(BIN)/cityops up $(ARGS)

test: .venv/developer
	$(BIN)/python -m pytest -m "not e2e" $(ARGS)

e2e: .venv/developer
	$(BIN)/python -m pytest -m e2e $(ARGS)

check: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The package itself comes without its dependencies: the lock file has named them already.
.venv/installed: .venv/locked pyproject.toml $(WEB)
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

.venv/locked: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "CityOps needs Python 3.11 or newer; run: make PYTHON=python3.12 up")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	touch $@

.venv/developer: .venv/installed requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

clean:
	rm -rf .venv src/cityops/ioc/static
