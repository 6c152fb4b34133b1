# Each target makes what it needs: `make run` and `make test` work on a fresh machine. What a run needs is soon there;
# the tools and frameworks of the tests come with the first `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUNTIME := $(VENV)/.runtime
BENCH := .venv-bench
APP ?= examples.chat:app
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0

.PHONY: run test check format docs bench bench-quick bench-peers soak fuzz attacks tools clean

$(STAMP): pyproject.toml monoceros/__init__.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(STAMP)

$(RUNTIME): pyproject.toml monoceros/__init__.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $(RUNTIME)

run: $(RUNTIME)
	@exec $(BIN)/monoceros-serve $(APP) --host 127.0.0.1 --port 8000

test: $(STAMP) | tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadscope

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python -m monoceros.options.docs
	$(BIN)/python -m monoceros.workers.docs

# The servers that we are measured beside live in an environment of their own. What can't be installed is named and left out.
$(BENCH)/.installed: pyproject.toml monoceros/__init__.py
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $(BENCH)/.installed

bench-peers: $(BENCH)/.installed
	@$(BENCH)/bin/python -m benchmarks.peers

bench: bench-peers
	$(BENCH)/bin/python -m benchmarks
	$(BENCH)/bin/python -m benchmarks.report

bench-quick: bench-peers
	$(BENCH)/bin/python -m benchmarks --quick

soak: $(STAMP) | tools
	@exec $(BIN)/python -m tests.soak $(SOAK)

# Random bytes against each reader of them, for so many seconds each; goes on from what earlier runs have kept.
FUZZ_SECONDS ?= 600
fuzz: $(STAMP)
	@exec $(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

attacks: $(STAMP) | tools
	@exec $(BIN)/python -m tests.attacks $(ATTACKS)

# Real tools for the tests that use them: nginx in front, systemd-analyze for the units, slowhttptest for the attacks,
# strace for the budget of system calls.
# Only root can install them; without them those tests say what is missing.
tools:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; missing=""; \
	command -v nginx >/dev/null || missing="$$missing nginx-light"; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v slowhttptest >/dev/null || missing="$$missing slowhttptest"; \
	command -v strace >/dev/null || missing="$$missing strace"; \
	if [ -z "$$missing" ] || [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then exit 0; fi; \
	install() { $(APT) install -y --no-install-recommends $$missing >/dev/null; }; \
	install 2>/dev/null || { $(APT) update >/dev/null && install; } || \
	echo "Can't be installed:$$missing. The tests that need them will say so." >&2

clean:
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache
