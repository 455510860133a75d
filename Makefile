# Every target builds .venv on its own when it is missing or older than pyproject.toml.
.DEFAULT_GOAL := help
.PHONY: help serve test test-matrix lint format bench clean

# The first Python that is new enough: a plain python3 may well be an older one.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(READY) ## Chat with the demo agent, sessions in Redis (embedded where there is none).
	@$(BIN)/adksess serve --demo

test: $(READY) ## Run all tests.
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

lint: $(READY) ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## Format the code and fix what can be fixed.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-matrix: $(READY) ## Run the contract suite under the oldest and newest versions (minutes).
	$(BIN)/python -m tests.matrix

bench: $(READY) .bench/peers ## Measure adksess beside ADK's other session services (minutes).
	$(BIN)/python -m tests.bench --figure

# Not in an extra: their dependencies exclude each other, but each runs with what is here.
.bench/peers:
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ \
		google-adk-community==0.5.0 google-adk-redis==0.1.5 adk-session-services==0.1.4 orjson

clean: ## Remove what was built. Chats in .adksess/ stay.
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "error: adksess needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
