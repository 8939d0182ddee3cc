# Two commands do everything: `make demo` shows Twinrow at work, `make test` proves it.
# Each installs what it lacks, and can be run again at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests with servers wait as much as they work: two processes more than this has cores keep both busy.
TEST_WORKERS ?= 4
PYTEST_ARGS ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick lint servers servers-demo venv dist test-pythons faults bench bench-quick aws-contract docs lambda screenshots clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: venv servers-demo ## the main job on servers of its own: 10,000 items, a live writer, the proof (60 s); ARGS=--keep goes on
	@$(BIN)/twinrow demo $(ARGS)

test: venv servers lint ## every check and every test, on MySQL, MariaDB and DynamoDB Local
	@echo "== pytest"
	@$(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal --durations=15 $(PYTEST_ARGS)

test-quick: venv servers ## what needs no server, and one way through all of them; for every commit (90 s)
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@$(BIN)/pytest -q -n $(TEST_WORKERS) --hypothesis-profile=quick -m "not faults and not slow and (not servers or quick)" $(PYTEST_ARGS)

lint: venv ## ruff, mypy --strict, import-linter
	@echo "== ruff check"
	@$(BIN)/ruff check .
	@echo "== ruff format"
	@$(BIN)/ruff format --check .
	@echo "== mypy --strict"
	@$(BIN)/mypy --strict src tests bench
	@echo "== import-linter"
	@$(BIN)/lint-imports

servers: python-version ## DynamoDB Local, MariaDB, MySQL 9.7, Chromium and R, where missing
	@$(PYTHON) tools/install_servers.py

servers-demo: python-version
	@$(PYTHON) tools/install_servers.py --demo

venv: $(VENV)/.stamp ## the virtual environment, with everything a developer needs

$(VENV)/.stamp: pyproject.toml | python-version
	@echo "== virtual environment in $(VENV) (from the package index, about a minute; no root needed)"
	@$(PYTHON) -m venv $(VENV) || { \
	    rm -rf $(VENV); \
	    echo "error: $(PYTHON) cannot make a virtual environment. On Debian: sudo apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: python-version
python-version:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	    echo "error: $(PYTHON) is not there. Install Python 3.11 or newer, or say which: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "error: $(PYTHON) is older than 3.11. Say which to take: make PYTHON=python3.12 …" >&2; exit 1; }

faults: venv servers ## the long tests: crashes at every step, servers killed, answers delayed
	@$(BIN)/pytest -n $(TEST_WORKERS) --durations=15 -m faults $(PYTEST_ARGS) tests

bench: venv servers ## how fast, beside the nearest peer
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@$(BIN)/python -m bench

bench-quick: venv servers ## how fast, in under three minutes
	@$(BIN)/python -m bench --quick

aws-contract: venv ## what DynamoDB Local cannot show: runs against a real AWS account (costs cents; needs credentials)
	@$(BIN)/python tools/aws_contract.py

dist: venv ## wheel and source archive of a release, proved on each Python that is there, with their SBOM, in dist/
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev,release]'
	@$(BIN)/python tools/dist.py

test-pythons: venv ## the tests that need no server, on each other Python that is there
	@$(BIN)/python tools/on_pythons.py $(PYTEST_ARGS)

docs: venv ## writes the pages that are made from the code
	@$(BIN)/python tools/write_docs.py

lambda: venv ## the zip for AWS Lambda, in build/ (docs/lambda.md); ARGS=--architecture=arm64 for the other processors
	@$(BIN)/python tools/build_lambda.py $(ARGS)

screenshots: venv servers ## the pictures of the page in docs/images
	@$(BIN)/python -m tools.screenshots

clean: ## forgets the virtual environment and the servers
	rm -rf $(VENV) .servers build dist
