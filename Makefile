# Two commands are enough for a newcomer: `make demo` and `make test`. Each sets up what is missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# pyright's wrapper otherwise asks the network for a newer release of itself.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check fix clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(STAMP)  ## set up, then train, predict and report on the built-in phantom hands
	$(BIN)/python run.py config=phantom

test: $(STAMP)  ## set up, then the whole test suite on every core; TESTS=tests/mask picks a part
	$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

check: $(STAMP)  ## format, lint, types and the house rules, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright src
	$(BIN)/python -m pytest -q tests/test_house.py

fix: $(STAMP)  ## format, and repair what the linter can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove .venv and every cache; runs, data and results stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build src/phalanx.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

define CHECK_PYTHON
import sys
ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
seen = "%s is %d.%d.%d" % ((sys.executable,) + sys.version_info[:3])
ok or sys.exit("Phalanx needs Python 3.11, 3.12 or 3.13; " + seen + ". Say which to use: make PYTHON=python3.12 ...")
try:
    import ensurepip, venv
except ImportError:
    sys.exit(sys.executable + " has no venv module. Install it first (Debian and Ubuntu: apt install python3-venv).")
endef
export CHECK_PYTHON

# An existing .venv is kept; one that an interrupt left without pip is completed.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here. Say which to use: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -c "$$CHECK_PYTHON"
	@test -x $(BIN)/pip || { echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the locked set into $(VENV): 2 to 10 minutes, once"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@touch $@
