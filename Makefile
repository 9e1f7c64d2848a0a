# Everything builds on `make env`, which needs Python 3.11 or newer with venv or pip, and nothing else.

BIN := .venv/bin
# Processes that run tests beside each other, each with a PostgreSQL and an engine of its own, some 4 GB; 0: only
# this one.
JOBS := 0

# Many a container sets it: then every process of Airflow compiles what it imports, which takes longer than its work.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help env demo test faults check lint bench clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '%-14s%s\n' "$$name" "$$text"; done

env: ## Make .venv and fetch the jars; at once if that is done
	@PYTHON="$(PYTHON)" .ci/env

demo: env ## Load a shop's database through Airflow and compare; EXIT=1 stops at the end, PORT=0: any free port
	@$(BIN)/dataloader demo $(if $(EXIT),--exit) $(if $(PORT),--port $(PORT))

test: env ## Run every test but the long fault matrix
	@# Files in their folders' order: sorted by how many tests they hold, those of one long test would come last.
	$(BIN)/python -m pytest -m "not faults" --durations 25 -n $(JOBS) \
		$(if $(filter-out 0,$(JOBS)),--dist loadfile --no-loadscope-reorder)

faults: env ## Run the long fault matrix, and the engine's suite in Spark's classic mode; ONLY=path for a part
	@# Named first, so that what collects the matrix is there from the beginning, whoever runs the tests.
	$(BIN)/python -m pytest $(or $(ONLY),tests/faults tests) -m "faults or kill_matrix" --compiled --timeout 900 -n $(JOBS)

check: lint ## Lint, format, types, import arrows, unit tests
	$(BIN)/python -m pytest tests/unit

lint: env ## What make check does before its tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: env ## Measure, into benchmarks/out; ONLY=name for one
	$(BIN)/python -m benchmarks $(ONLY)

clean: ## Leave a fresh checkout
	rm -rf .venv .venv-tools dist build benchmarks/out
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis spark-warehouse metastore_db derby.log
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -type d -prune -exec rm -rf {} +
