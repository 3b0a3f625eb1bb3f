PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv train test test-slow lint format docs docs-serve clean

venv: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; make PYTHON=..."'
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv: about two minutes and 2 GB, once"
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[dev]"
	touch $@

train: venv
	$(BIN)/python -m seg.train

# The quick tests of a file stay in one process, since they share what they have trained; the slow
# ones share little, and a process that has nothing left takes some of another's. Each process has one
# thread. The slow tests start processes of their own, so two at a time are enough.
test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test-slow: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist worksteal

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: venv
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The pages of docs/, in site/index.html; they need no network. docs-serve shows changes at once.
docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: .venv/.docs
	$(BIN)/mkdocs serve

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf .venv dist site
