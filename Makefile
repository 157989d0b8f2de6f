# Everything a person does here. `make help` lists the targets, from the comment behind each.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Any Python from 3.11 to 3.13 will do; the first of these that is one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo "$$python"; break; }; done)
PORT ?= 3000
# Tests of one file stay in one process; more processes than cores would only wait for one another.
TEST_PROCESSES ?= logical
ARGS ?=

# The system's own certificates, where it has them: they know the proxies of the house.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= true
endif

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python

# The tests read a real MySQL, and say themselves where there is none: nothing here may fail.
MARIADB := mariadb-server-core mariadb-client-core
APT := PATH="$$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120

.PHONY: help run up down sql reset test check lock bench soak clean .mysql

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Bring every asset up to date, with the embedded stack and the sample world where nothing else is set
	@$(BIN)/data-platform run $(ARGS)

up: $(VENV)/.run ## Serve the Dagster UI on localhost:3000 (PORT=...) until Ctrl-C or `make down`
	@$(BIN)/data-platform up --port $(PORT)

down: $(VENV)/.run ## Stop what `make up` started
	@$(BIN)/data-platform down

sql: $(VENV)/.run ## Open psql on the warehouse
	@$(BIN)/data-platform sql $(ARGS)

reset: $(VENV)/.run ## Delete the embedded stack's data (asks first)
	@$(BIN)/data-platform reset $(ARGS)

test: $(VENV)/.dev .mysql ## Run the tests
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile $(ARGS)

check: $(VENV)/.dev ## Run the linters, the type checker, the import rules, the definitions' and the locks' check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports
	@cd platform && ../$(BIN)/dg check defs
	@deploy/lock --check

lock: $(VENV)/.dev ## Resolve the dependencies anew into the lock files
	@deploy/lock

bench: $(VENV)/.dev ## Measure publishing, range runs, daily logins, login events, sessions, reports and the reader beside the alternatives, as ratios
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.dev ## Run the long random tests: 100,000 damaged files, 10,000 schedules of snapshots and of events, 1,000 of messages, replays, kills at 24 moments
	@$(BIN)/python -m pytest --hypothesis-profile=soak platform_tests/intake platform_tests/publish/test_content_hash.py
	@$(BIN)/python -m pytest -m soak $(ARGS)

clean: ## Delete the virtual environment; data stays
	@rm -rf $(VENV)

.mysql:
	@if [ -z "$$TEST_MYSQL_URL" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& ! PATH="$$PATH:/usr/sbin" command -v mariadbd >/dev/null; then \
		echo "Installing MariaDB for the tests ..."; \
		$(APT) install --yes --no-install-recommends $(MARIADB) </dev/null >/dev/null 2>&1 \
			|| { $(APT) update && $(APT) install --yes --no-install-recommends $(MARIADB); } </dev/null >/dev/null || true; \
	fi

$(UV): requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 was found; install one, or name it: make run PYTHON=/path/to/python." >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV) || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv." >&2; exit 1; }
	@awk '/^[a-zA-Z]/ { wanted = /^uv==/ } wanted && !/#/' requirements-dev.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.lock
	@touch $@

# What runs is byte-compiled: it halves the time that Dagster takes to start.
$(VENV)/.run: $(UV) requirements.lock pyproject.toml
	@echo "Installing the locked dependencies ..."
	@$(INSTALL) --require-hashes --compile-bytecode --requirement requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what development needs ..."
	@$(INSTALL) --require-hashes --compile-bytecode --requirement requirements-dev.lock
	@touch $@
