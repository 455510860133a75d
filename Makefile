# Every target prepares .venv by itself: `serve` with what the demo needs, the others with all.
.DEFAULT_GOAL := help
.PHONY: help serve test test-matrix lint format bench clean

# The first Python that is new enough: a plain python3 may well be an older one.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
UV := $(shell command -v uv)
# One more than cores: tests wait for servers and for time limits.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready

ifdef UV
CREATE := $(UV) venv --quiet --seed --clear --python '$(or $(PYTHON),>=3.11)' $(VENV)
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
else
CREATE := $(PYTHON) -m venv $(VENV)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(DEMO) ## Chat with the demo agent (PORT=8001: on another port).
	@$(BIN)/adksess serve --demo $(if $(PORT),--port $(PORT))

test: $(READY) ## Run all tests.
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

lint: $(READY) ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Format the code and fix what can be fixed.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-matrix: $(READY) ## Test on other versions of Python, ADK, redis-py and Redis (minutes).
	$(BIN)/python -m tests.matrix

bench: $(READY) .bench/peers ## Measure adksess beside ADK's other session services (minutes).
	$(BIN)/python -m tests.bench --figure

# Not in an extra: their dependencies exclude each other, but each runs with what is installed.
.bench/peers: | $(READY)
	@$(INSTALL) --no-deps --target $@ \
		google-adk-community==0.5.0 google-adk-redis==0.1.5 adk-session-services==0.1.4 orjson

clean: ## Remove what was built. Chats in .adksess/ stay.
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)$(UV)" || { \
		echo "error: adksess needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(CREATE) || { rm -rf $(VENV); \
		echo "error: $(or $(PYTHON),uv) cannot create a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "Installing adksess into $(VENV), once"
	@$(INSTALL) --editable '.[embedded]'
	@touch $@

$(READY): pyproject.toml | $(BIN)/python
	@echo "Installing adksess and its development tools into $(VENV), once"
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(DEMO)
