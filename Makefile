# Everything a newcomer needs: `make demo` and `make test`. Each sets itself up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
LOCKS := requirements/runtime.txt requirements/dev.txt
BUILD_LOCK := requirements/build.txt
LATEST := .venv-latest
NEXT := .venv-next
DOCS := .venv-docs
FREEPBX_MODULE ?= callsieve-freepbx.tgz

.PHONY: demo test test-again bytecode test-fast test-next test-latest test-long coverage check lint-api fix bench bench-quick accuracy docs man screenshots packages release release-check release-twice freepbx-module lab tools lock clean

$(STAMP): pyproject.toml $(LOCKS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes $(LOCKS:%=-r %)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The newest versions that pyproject.toml allows, with their hashes, for Python 3.11 and later. The third is the part of
# the second that makes a wheel: somebody who installs from a checkout needs no more of it.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock'
# For libraries that have no wheels for other interpreters.
COMPILE_CPYTHON = $(subst --universal,--python-platform linux,$(COMPILE))
lock: $(STAMP)
	$(COMPILE) pyproject.toml --extra fast --extra hub --extra notify --output-file requirements/runtime.txt
	$(COMPILE) --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(COMPILE) --group build --constraint requirements/dev.txt --output-file $(BUILD_LOCK)
	$(COMPILE) --group release --constraint requirements/dev.txt --constraint requirements/runtime.txt --output-file requirements/release.txt
	$(COMPILE) pyproject.toml --extra pdf --constraint requirements/dev.txt --output-file requirements/pdf.txt
	$(COMPILE) --group docs --constraint requirements/dev.txt --constraint requirements/runtime.txt --output-file requirements/docs.txt
	$(COMPILE_CPYTHON) pyproject.toml --extra speech --constraint requirements/dev.txt --constraint requirements/docs.txt --output-file requirements/speech.txt
	$(COMPILE_CPYTHON) --group speech --constraint requirements/dev.txt --constraint requirements/docs.txt --constraint requirements/speech.txt --output-file requirements/speech-tests.txt

lab: $(STAMP)
	$(BIN)/python -m lab fetch

tools: $(STAMP)
	$(BIN)/python -m lab fetch --tools

demo: lab
	$(BIN)/python -m lab.demo

test: tools
	$(BIN)/python -m pytest -m "not load" -n 7 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# What failed in the last `make test`, one test after the other.
test-again: tools
	$(BIN)/python -m pytest -m "not load" --last-failed --last-failed-no-failures none

# Every test compiled once. In a new checkout each process of `make test` would compile them all for itself.
bytecode: $(STAMP)
	$(BIN)/python -m pytest --collect-only -q | tail -n 1

test-fast: $(STAMP)
	$(BIN)/python -m pytest --may-skip -m "not slow" --hypothesis-profile fast -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --ignore=tests/integration --ignore=tests/browser

# On the Python of Debian testing, which is unpacked as Asterisk is.
test-next: $(STAMP)
	$(BIN)/python -m lab python
	$(MAKE) bytecode test-fast PYTHON="$$($(BIN)/python -m lab python)" VENV=$(NEXT)

# With the newest of everything in the place of requirements/. No part of CI: for a day before each release.
test-latest: $(STAMP)
	$(PYTHON) -m venv --clear $(LATEST)
	$(LATEST)/bin/python -m pip install --quiet --upgrade pip
	$(LATEST)/bin/python -m pip install --quiet --editable '.[fast,hub,notify,pdf]' --group dev
	$(LATEST)/bin/python -m pip list
	touch $(LATEST)/.stamp
	$(MAKE) test VENV=$(LATEST)
	$(MAKE) test-next

# Storms over five PBXs and their hub: 50, a minute or two each; two of three with calls that are decided meanwhile.
test-long: tools
	$(BIN)/python -m tests.callsieve.hub.convergence --storms 50

coverage: tools
	$(BIN)/python -m pytest -n auto --ignore=tests/integration --ignore=tests/browser --cov --cov-report=term

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m lab.plain_english
	$(BIN)/python -m pip check

# Redocly's rules for docs/reference/openapi.json. Needs Node.js and npm, so it is no part of `make check`: CI runs it.
# The package is one file without dependencies, locked with its hash; it sends no telemetry.
REDOCLY := build/redocly/node_modules/.bin/redocly
$(REDOCLY): requirements/openapi/package.json requirements/openapi/package-lock.json
	mkdir -p build/redocly
	cp requirements/openapi/*.json build/redocly
	npm ci --prefix build/redocly --ignore-scripts --no-audit --no-fund --silent
	touch $@

lint-api: $(REDOCLY)
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint --config requirements/openapi/redocly.yaml docs/reference/openapi.json

fix: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: lab
	$(BIN)/python -m pytest -m load
	$(BIN)/python -m benchmarks

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks.instructions

accuracy: $(STAMP)
	$(BIN)/python -m benchmarks.accuracy

# The documentation as a site in build/docs. Only its first run needs the network, for an environment of its own.
$(DOCS)/.stamp: requirements/docs.txt
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes -r requirements/docs.txt
	touch $@

docs: $(DOCS)/.stamp
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet --strict

man: $(STAMP)
	mkdir -p build
	$(BIN)/callsieve man > build/callsieve.1

screenshots: tools
	$(BIN)/python -m tests.browser.screenshots screenshots
	$(BIN)/python -m tests.browser.screenshots docs

# A .deb for each of Debian 12, 13 and testing, in build/packages.
packages: $(STAMP)
	$(BIN)/python -m packages.build

# A release: checks, the changelog's section, and everything with its hashes in build/release.
RELEASE_TOOLS := build/release-tools/.stamp
$(RELEASE_TOOLS): requirements/release.txt
	$(PYTHON) -m venv build/release-tools
	build/release-tools/bin/python -m pip install --quiet --require-hashes -r requirements/release.txt
	touch $@

release: $(STAMP) $(RELEASE_TOOLS)
	$(BIN)/python -m packages.release

# The work tree as it is, and the commit twice, in two places that differ.
release-check: $(STAMP) $(RELEASE_TOOLS)
	$(BIN)/python -m packages.release check

release-twice: $(STAMP) $(RELEASE_TOOLS)
	$(BIN)/python -m packages.release twice

# Needs nothing but tar: what FreePBX's Module Admin takes.
# SIGN=KEY adds module.sig, signed with that key of gpg.
freepbx-module:
	rm -rf build/freepbx && mkdir -p build/freepbx && cp -R freepbx/callsieve build/freepbx/callsieve
	$(if $(SIGN),sh freepbx/sign.sh build/freepbx/callsieve '$(SIGN)')
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u+rwX,go+rX,go-w -C build/freepbx -czf $(FREEPBX_MODULE) callsieve

clean:
	rm -rf $(VENV) $(LATEST) $(NEXT) $(DOCS) .cache build
