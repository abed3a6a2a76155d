# Raseed: `make demo` and `make test` do everything on a fresh Debian or Ubuntu machine.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
# What the tests compare our messages with; see tests/interop/iso8583.
NPM := build/interop/iso8583/.installed
# How many scenarios of three faults `make soak` draws.
SOAK ?= 50000
# How many strings `make fuzz` throws; CI throws fewer.
FUZZ ?= 1000000

# The tests start programs by the hundred: each would compile every module anew where the
# environment forbids to keep what was compiled. It is kept out of the tree.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache

.DEFAULT_GOAL := help
.PHONY: help demo terminal test check format faults soak crash crash-bank soak-bank model fuzz bench bench-link bench-bank catalogue screens lock packages clean

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) \
		| awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

demo: $(READY) ## the main job: issue cards, take 20 payments, dial, post, print the statement
	$(BIN)/raseed-sim demo --output build/demo

terminal: $(READY) ## the counter on simulated cards, modem and bank, to play with
	$(BIN)/raseed-sim counter

test: $(READY) $(NPM) ## run all tests (no hardware needed)
	$(BIN)/pytest -q -n 2 --dist worksteal

check: $(READY) ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

faults: $(READY) ## every fault at every point, and pairs of faults (some three minutes)
	$(BIN)/raseed-sim faults --output build/reliability/faults.json

soak: $(READY) ## every pair of faults, then three at once, sampled (some hours)
	$(BIN)/raseed-sim faults --all-pairs --output build/reliability/faults-all.json
	$(BIN)/raseed-sim faults --soak $(SOAK) --output build/reliability/soak.json

crash: $(READY) ## kill the counter's program at hundreds of points and count the money
	$(BIN)/python -m sim.crash.counter

crash-bank: $(READY) ## kill the bank's host 200 times while it takes batches
	$(BIN)/python -m sim.crash.bank

soak-bank: $(READY) ## a nation's day on PostgreSQL while hosts are killed (half an hour, 14 GB of memory)
	$(BIN)/python -m sim.soak

model: $(READY) ## search the model of a payment through with Spin: properties, witnesses, mutants
	$(BIN)/python -m sim.model

fuzz: $(READY) ## a million random and damaged strings into everything that reads the line
	$(BIN)/python -m sim.fuzz --count $(FUZZ) --output build/reliability/fuzz.json

bench: $(READY) ## measure, as ratios against named references
	$(BIN)/python -m bench

bench-link: $(READY) ## our link against ZMODEM on the same line (ten minutes)
	$(BIN)/python -m bench link

bench-bank: $(READY) ## clearing and posting: ratios, and what ten million payments cost (half an hour)
	$(BIN)/python -m bench bank

catalogue: $(READY) ## renew the template of translations from the sources
	$(BIN)/pybabel -q extract -F babel.cfg -k tr -k trn:1,2 -k msgid --no-location \
		--sort-output --project raseed -o terminal/locale/raseed.pot .

screens: demo ## renew the pictures in docs/screens from the running counter
	mkdir -p docs/screens
	cp build/demo/pin.svg build/demo/paid.svg build/demo/end-of-day-sending.svg \
		build/demo/refused-balance-too-low.svg docs/screens/

packages: ## install the Debian packages that are missing
	@.ci/install-debian-packages

# Tests, tools and the program itself come from one list with a digest for every file.
$(READY): requirements.lock pyproject.toml debian-packages.txt
	@.ci/install-debian-packages
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found."; exit 1; }
	@echo "setting up .venv (the first time takes a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

$(NPM): tests/interop/iso8583/package-lock.json debian-packages.txt
	@.ci/install-debian-packages
	@.ci/install-npm-packages

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate \
		--output-file requirements.lock

clean: ## remove what was built, but not .venv
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
