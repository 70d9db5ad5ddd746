# Every verb sets itself up in .venv; nothing outside this folder is touched (make test may install Chromium when root).
.DEFAULT_GOAL := help
.PHONY: help run test check format bench lock

V := .venv/bin
LOCKED := --quiet --disable-pip-version-check --require-hashes --only-binary :all:
COMPILE = $(V)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --exclude-newer "$$(date -u -d '7 days ago' +%F)"

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.run  ## Start Moments (ARGS="replay examples/stream.chat" passes arguments on)
	@$(V)/moments $(ARGS)

test: .venv/.dev check  ## Run every check and every test (ARGS="-k clip" passes arguments to pytest)
	@sh tests/find-chromium.sh
	@echo "Running the tests …"
	@$(V)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: .venv/.dev  ## Style, types, and which package may import which
	@echo "Checking style, types and imports …"
	@$(V)/ruff check . && $(V)/ruff format --check --quiet . && $(V)/mypy && $(V)/lint-imports --no-cache | tail -n 4

format: .venv/.dev  ## Put the code into its one layout
	@$(V)/ruff check --fix --quiet . ; $(V)/ruff format .

bench: .venv/.dev  ## Measure, as ratios against baselines of the same run
	@for bench in ingest export saved saved_http start crash twitch; do echo; $(V)/python -m bench.$$bench || exit 1; done

lock: .venv/.dev  ## Re-lock the dependencies, nothing younger than a week
	@$(COMPILE) --group build --upgrade -o requirements.lock
	@$(COMPILE) --group dev -c requirements.lock --upgrade -o tests/requirements.lock

.venv/bin/python:
	@sh -c 'for python in python3.13 python3.12 python3.11 python3; do \
	  $$python -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || continue; \
	  echo "Setting up .venv with $$($$python --version) …"; exec $$python -m venv .venv; done; \
	  echo "Moments needs Python 3.11 or newer with venv. On Debian or Ubuntu: apt install python3 python3-venv" >&2; exit 1'

.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing what Moments needs (about 40 packages, once) …"
	@$(V)/python -m pip install $(LOCKED) -r requirements.lock
	@PATH="$(CURDIR)/$(V):$$PATH" $(V)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.venv/.dev: tests/requirements.lock .venv/.run
	@echo "Installing the test tools (about 45 packages, once) …"
	@$(V)/python -m pip install $(LOCKED) -r tests/requirements.lock
	@touch $@
