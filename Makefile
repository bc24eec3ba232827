PYTHON ?= python

.PHONY: check test check-all drill bench

check:  ## lint, types, import rules
	$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	lint-imports

test:
	$(PYTHON) -m pytest

check-all:  ## the tests on every later CPython this machine has
	@for version in 3.11 3.12 3.13 3.14; do \
	  if python$$version --version >/dev/null 2>&1; then \
	    echo "== python$$version" && \
	    python$$version -m venv .venvs/$$version && \
	    .venvs/$$version/bin/pip install -q -e ".[test]" && \
	    .venvs/$$version/bin/python -m pytest || exit 1; \
	  fi; \
	done

drill:  ## whole sessions in which everything goes wrong: many more seeds than the tests, and a kill at every point
	DRILL_SEEDS=2000 DRILL_RUNNING=200 DRILL_SOCKETS=200 DRILL_HALTS=100 DRILL_DAYS=100 DRILL_CRASH=all DRILL_SIGNALS=500 DRILL_FOLLOWED=300 DRILL_ALGOGENE=300 DRILL_SWEEPS=1 $(PYTHON) -m pytest tests/drills tests/framework/research
	DRILL_CLIENTS=200 $(PYTHON) -m pytest tests/feeds/test_proxy_whole.py
	DRILL_PROGRAMS=5000 $(PYTHON) -m pytest tests/framework/engine/test_programs.py tests/brokers/sim/test_matching_against_backtrader.py

bench:  ## ratios against peers and floors; the peers come with `pip install -e ".[bench]"`
	$(PYTHON) benchmarks/engine.py
	$(PYTHON) benchmarks/sandbox.py
	$(PYTHON) benchmarks/live.py
	$(PYTHON) benchmarks/limits.py
	$(PYTHON) benchmarks/execution.py
	$(PYTHON) benchmarks/soak.py --quick
	$(PYTHON) benchmarks/signals.py
	$(PYTHON) benchmarks/sweep.py
	$(PYTHON) benchmarks/proxy.py
