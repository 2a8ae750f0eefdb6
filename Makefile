# make run    sets up .venv and runs the main job with its defaults (ARGS="learner=bp seed=1" changes settings)
# make test   sets up .venv and runs the tests
# make check  style, types and the one-way imports
# make docs   the documentation in site/: runs the tutorials, checks every link
# make bench  the benchmarks, each a ratio measured side by side
PYTHON ?= python3
BIN = .venv/bin
MARK = .venv/installed

.PHONY: run test check docs bench
run: $(MARK)
	$(BIN)/python -m learners.online $(ARGS)

test: $(MARK)
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(MARK)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(MARK)
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && TMPDIR=$$place \
		DISABLE_MKDOCS_2_WARNING=true NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --quiet --strict

bench: $(MARK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/learners.py
	$(BIN)/python benchmarks/worlds.py
	$(BIN)/python benchmarks/streams.py
	$(BIN)/python benchmarks/recordings.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/many_runs.py

$(MARK): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Contiguity needs Python 3.11 or later; try make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(MARK)
