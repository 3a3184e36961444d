# Corkscrew. `make help` lists what there is. Every target sets up what it needs; nothing but Python 3.11 is expected.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
UV := .cache/uv/bin/uv
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 $(if $(UPGRADE),--upgrade)
SOURCES := shared/src gateway/src services/customer/src services/sales-pipeline/src services/communication-dispatch/src \
	services/contact-center/src deploy/suite/src
CONTRACTS := $(foreach service,gateway $(wildcard services/*),$(service)/contracts)
TESTS ?= tests
SDK := PYTHONPATH=deploy/sdk $(BIN)/python -m generator gateway/src/crm_gateway/openapi/merged.json deploy/sdk/build

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo setup-dev run demo doctor test fuzz lint fmt audit lock contracts check-contracts release-contracts sdk clean

help: ## Lists these targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-17s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Installs what the suite runs on into .venv
	@$(PYTHON) deploy/install.py

setup-demo:
	@$(PYTHON) deploy/install.py --demo

setup-dev:
	@$(PYTHON) deploy/install.py --demo --dev

run: setup ## Runs the whole suite on http://127.0.0.1:8080 (PORT=… changes it); Ctrl-C stops it, data stays
	@exec $(BIN)/crm up

demo: setup-demo ## Plays the closed loop on real purchase data (starts the suite if none is running)
	@exec $(BIN)/crm demo

doctor: setup ## Looks at this machine and at a running suite, and says what is wrong
	@$(BIN)/crm doctor

test: setup-dev ## Runs every test; real Kafka too where Java and Maven are there (TESTS=tests/customer narrows it)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(TESTS)

fuzz: setup-dev ## Sends generated requests to every operation for some minutes (FUZZ="--examples 5 --seed 1" bounds it)
	@$(BIN)/python -m tests.fuzzing $(FUZZ)

lint: setup-dev ## Checks style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(SDK)
	@$(BIN)/pyright --warnings

fmt: setup-dev ## Formats and repairs what can be repaired
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

contracts: setup-dev ## Writes every service's contracts/ (OpenAPI, AsyncAPI, event schemas and examples) anew
	@for service in gateway services/*; do \
		package=crm_$$(basename $$service | tr - _); \
		$(BIN)/python -m $$package contracts $$service/contracts || exit 1; done
	@$(BIN)/python -m crm_gateway merge services/*

sdk: setup-dev ## Builds the Python and the TypeScript client from the merged document, and says how to install them
	@$(SDK) --pack

audit: setup-dev ## Looks at licences and known vulnerabilities of what the suite runs on; writes its bill of materials
	@$(BIN)/python deploy/audit.py

check-contracts: setup-dev ## Refuses what would break a released contract, and lints every document (make contracts comes first)
	@$(BIN)/python -m crm_suite.contracts check $(CONTRACTS)
	@deploy/node/node_modules/.bin/spectral lint --quiet --fail-severity=hint \
		gateway/src/crm_gateway/openapi/merged.json $(CONTRACTS:%=%/openapi.json) $(CONTRACTS:%=%/asyncapi.json)

release-contracts: contracts check-contracts ## Publishes the contracts as they are: from now on they are kept (VERSION=0.2.0)
	@$(BIN)/python -m crm_suite.contracts release $(or $(VERSION),$(error say which release: VERSION=0.2.0)) $(CONTRACTS)

lock: ## Pins and hashes the requirements anew (UPGRADE=1 takes newer versions)
	@test -x $(UV) || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv; }
	@$(LOCK) requirements.in --output-file requirements.txt
	@$(LOCK) --constraint requirements.txt requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) --no-deps requirements-demo.in --output-file requirements-demo.txt
	@$(LOCK) --no-deps requirements-peer.in --output-file requirements-peer.txt
	@! grep --line-number --extended-regexp '://|index-url|find-links|trusted-host' requirements.txt requirements-dev.txt requirements-demo.txt requirements-peer.txt

clean: ## Removes caches and the virtual environment (data in .crm stays; delete it by hand)
	rm -rf .venv .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis deploy/sdk/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
