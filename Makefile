# Two verbs matter: `make demo` (ARGS=--once plays one failover and ends) and `make test`.
# Everything lives in a virtual environment of its own, .venv; PYTHON chooses the interpreter (3.10 or newer).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SECONDS ?= 60
SEED ?=
VERSIONS ?=
MEMBERS ?= 1
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Where nothing compiled may be kept, each interpreter that the tests start takes a third longer to be there.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint types format pytest long etcds matrix soak upgrade bench picture clean

demo: $(VENV)/.demo
	@$(BIN)/ha-monitor demo $(ARGS)

test: lint pytest

lint: $(VENV)/.test types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

pytest: $(VENV)/.test
	$(BIN)/python -m pytest -q $(ARGS)

# What make test leaves out: much at once, and whether soak and bench themselves work.
long: $(VENV)/.test
	$(BIN)/python -m pytest -q -n 3 -m "long or thorough" $(ARGS)

# Brings etcd 3.4 to 3.7 into .etcds: from Debian's packages, and built with Go. Quick where they are there.
etcds: $(VENV)/.test
	@$(BIN)/python -m tests.etcds.bring --versions "$(VERSIONS)"

# The tests that talk to etcd against each of those: make matrix [VERSIONS="3.4 3.7"] [ARGS="--full -k cluster"]
matrix: etcds
	$(BIN)/python -m tests.etcds.matrix --versions "$(VERSIONS)" $(ARGS)

# Random changes and faults, with an oracle: make soak SECONDS=1800 [SEED=7] [MEMBERS=3]
soak: $(VENV)/.test
	$(BIN)/python -m tests.soak.soak --seconds $(SECONDS) --members $(MEMBERS) $(if $(SEED),--seed $(SEED))

# Three etcds upgraded one by one under changes: make upgrade SECONDS=600 [MEMBERS=3] [VERSIONS="3.5.30 3.6 3.7"]
upgrade: $(VENV)/.test
	$(BIN)/python -m tests.soak.upgrade --seconds $(SECONDS) --members $(MEMBERS) --versions "$(VERSIONS)"

# Speed and size, each figure beside its floor: make bench [ARGS="-n 20000 --rounds 1 --json figures.json"]
bench: $(VENV)/.test
	$(BIN)/python -m tests.benchmarks.bench $(ARGS)

# The README's picture of the page, as Chromium shows it today.
picture: $(VENV)/.test
	HA_MONITOR_PICTURE=$(CURDIR)/examples/page.png $(BIN)/python -m pytest -q -n 0 -m "not long" tests/web/test_page.py -k picture

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .etcds build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Made anew when the dependencies change; the package itself is installed editable, so its code is always today's.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "installing ha-monitor into $(VENV) ..." >&2
	@$(PIP) --editable '.[all]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing ha-monitor and what its tests need into $(VENV) ..." >&2
	@$(PIP) --editable '.[lint]'
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here. Install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "$(PYTHON) is too old: ha-monitor needs Python 3.10 or newer. Name another: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
