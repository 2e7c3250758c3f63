# The single entry for developers, hooks and CI: one definition of "clean".
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup dev format lint types imports test e2e check lock

setup:    ## .venv with the development tools, and the frontend built
	$(PYTHON) scripts/dev.py setup --dev

dev:      ## the server on 8888 and Vite on 5173, side by side
	$(PYTHON) scripts/dev.py dev

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

test:     ## everything, a line per part; CI runs this
	./scripts/test.sh

e2e:      ## the browser tests alone; needs Chromium and a built frontend
	$(BIN)/python -m pytest -m "browser and not live"

check:    ## lint, types, imports, fast tests: under a minute
	./scripts/test.sh --fast

lock:     ## requirements/*.lock from pyproject.toml; make lock UPGRADE=--upgrade takes newer versions
	$(PYTHON) scripts/dev.py lock $(UPGRADE)
