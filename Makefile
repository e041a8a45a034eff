# Everything runs inside $(VENV), which is made from $(PYTHON) (3.11 or newer) with venv and pip alone.
# A target installs only what it needs, and again only after pyproject.toml has changed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.NOTPARALLEL:
.PHONY: help demo test torch lint docs site bench fuzz package clean

help:
	@echo "make demo   plain EM against BigLearn-EM on two problems, results in demo-output/"
	@echo "make test   all tests, the README's examples included"
	@echo "make torch  add PyTorch, a large package, so that make test tests its engine too"
	@echo "make lint   style (ruff) and types (mypy)"
	@echo "make site   the documentation with search, outputs and pictures, in site/"
	@echo "make docs   the map and the pictures in docs/, which are committed"
	@echo "make bench  the studies, in their short profile, results in bench-output/"
	@echo "make fuzz   10,000 fits of hostile rows and parameters (hours)"
	@echo "make package  build wheel and sdist, and try each in an empty environment"
	@echo "make clean  remove $(VENV), caches, dist/, site/ and demo-output/"

demo: $(VENV)/.installed-demo
	$(BIN)/biglearn demo --output-dir demo-output

test: $(VENV)/.installed-dev
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

torch: $(VENV)/.installed-dev
	$(PIP) install --editable '.[torch]'

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

site: $(VENV)/.installed-dev
	OPENBLAS_NUM_THREADS=1 NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/build_map.py
	$(BIN)/python docs/build_images.py

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz 10000

package: $(VENV)/.installed-dev
	rm -rf dist $(VENV)-clean
	$(BIN)/python -m build --outdir dist
	$(PYTHON) -m venv $(VENV)-clean
	$(VENV)-clean/bin/python -m pip --disable-pip-version-check --quiet install dist/*.whl
	$(VENV)-clean/bin/python tests/smoke.py
	$(VENV)-clean/bin/python -m pip --disable-pip-version-check --quiet install \
		--force-reinstall --no-deps dist/*.tar.gz
	BIGLEARN_NUMBA=0 $(VENV)-clean/bin/python tests/smoke.py  # compiled once is enough
	rm -rf $(VENV)-clean

bench: $(VENV)/.installed-demo
	$(BIN)/python -m benchmarks study all --profile short --output bench-output

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: give Python 3.11 or newer, as in make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[plots]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-clean dist site demo-output bench-output .mypy_cache .pytest_cache .ruff_cache
