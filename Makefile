# Everything a newcomer needs: `make demo` and `make test`. Each sets itself up on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
FREEPBX_MODULE ?= callsieve-freepbx.tgz

.PHONY: demo test bytecode test-fast test-long test-compiled coverage check fix bench bench-quick accuracy man screenshots freepbx-module lab tools clean

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

lab: $(STAMP)
	$(BIN)/python -m lab fetch

tools: $(STAMP)
	$(BIN)/python -m lab fetch --tools

demo: lab
	$(BIN)/python -m lab.demo

test: tools
	$(BIN)/python -m pytest -m "not load" -n 9 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

# Every test compiled once. In a new checkout each process of `make test` would compile them all for itself.
bytecode: $(STAMP)
	$(BIN)/python -m pytest --collect-only -q | tail -n 1

test-fast: $(STAMP)
	$(BIN)/python -m pytest --may-skip -m "not slow" --hypothesis-profile fast -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 --ignore=tests/integration --ignore=tests/browser

# Storms over five PBXs and their hub: 50, a minute or two each; two of three with calls that are decided meanwhile.
test-long: tools
	$(BIN)/python -m tests.callsieve.hub.convergence --storms 50

# Needs a C compiler; one to two minutes of processor time before the first test.
test-compiled: $(STAMP)
	$(BIN)/python -m lab.compiled

coverage: tools
	$(BIN)/python -m pytest -n auto --ignore=tests/integration --ignore=tests/browser --cov --cov-report=term

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

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

man: $(STAMP)
	mkdir -p build
	$(BIN)/callsieve man > build/callsieve.1

screenshots: tools
	$(BIN)/python -m tests.browser.screenshots screenshots

# Needs nothing but tar: what FreePBX's Module Admin takes.
freepbx-module:
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u+rwX,go+rX,go-w -C freepbx -czf $(FREEPBX_MODULE) callsieve

clean:
	rm -rf $(VENV) .cache build
