# Everything a newcomer, a maintainer and CI run. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: demo mutants test unit check format e2e chaos bench database cluster registries update newest audit help

VENV   ?= .venv
PYTHON ?= python3
LOCK   ?= requirements.lock
BIN    := $(VENV)/bin
# More than cores, because most tests wait most of the time.
PROCESSES ?= 3
STAMP  := $(VENV)/.installed

demo: $(STAMP) ## Two units claim 21 deployments before your eyes; chooses its database itself
	@$(BIN)/nodeunit demo

test: $(STAMP) check database cluster registries ## Everything: check, then all tests with their coverage; installs engine and image where it may
	@$(BIN)/python -m tools.pgbouncer
	@# In two parts: what is installed beside faults would make their units late.
	@$(BIN)/pytest --numprocesses=$(PROCESSES) -m "not (e2e or installs)" --cov --cov-report=
	@$(BIN)/pytest --numprocesses=$(PROCESSES) -m "e2e or installs" --cov --cov-append

unit: $(STAMP) ## The tests that need no container, in under a minute
	@$(BIN)/pytest --numprocesses=$(PROCESSES) -m "not container" tests/unit tests/property

check: $(STAMP) ## Lint, format, strict types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Fix what ruff can fix by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

e2e: $(STAMP) database registries ## Real units as processes against a TimescaleDB container
	@$(BIN)/pytest -m e2e

chaos: $(STAMP) database cluster ## Faults injected into a running fleet; HOURS=8 SEED=1 continues with new seeds for 8 hours
	@$(if $(HOURS),$(BIN)/python -m tools.faults --hours $(HOURS) --seed $(or $(SEED),1),$(BIN)/pytest -m chaos)

mutants: $(STAMP) ## Small changes of nodeunit/domain, each of which a test must notice; MODULES="fleet trust" takes some
	@$(BIN)/python -m tools.mutants $(MODULES)

bench: $(STAMP) database ## Benchmarks beside floors and peers, in under 20 minutes; BENCH="--only latency --rounds 5" takes some
	@$(BIN)/python -m tools.bench $(BENCH)

cluster: $(STAMP) ## Make the image of a Patroni cluster available, which a test of its own runs on
	@$(BIN)/python -m tools.patroni

database: $(STAMP) ## Make a Docker engine and the TimescaleDB image available
	@$(BIN)/python -m tools.timescaledb

registries: $(STAMP) ## Make Node.js and verdaccio available, from which tests install packages
	@$(BIN)/python -m tools.node

update: $(STAMP) ## Renew requirements.lock: the newest versions that pyproject.toml allows
	@tools/update.sh $(BIN)/python requirements.lock

audit: $(STAMP) ## Look the locked dependencies up among known vulnerabilities; without that data, hold them to their checksums
	@tools/audit.sh $(BIN)/python requirements.lock

newest: ## All tests with the newest versions that pyproject.toml allows, in an environment of their own
	@rm -f .venv-newest/.installed
	@$(MAKE) --no-print-directory VENV=.venv-newest LOCK= test

$(STAMP): pyproject.toml $(LOCK) tools/venv.sh
	@PYTHON="$(PYTHON)" tools/venv.sh "$(VENV)" $(LOCK)
	@touch $@

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
