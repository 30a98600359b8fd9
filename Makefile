# The front door. `make help` lists what there is.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench bench-duplicates bench-search bench-categorize format campaign-crash campaign-scale clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[dev]'
	@touch $@

# The extras of image towers, scans and Ray, which the tests want and nothing else; TORCH_INDEX picks
# other wheels.
CLIP_STAMP := $(VENV)/.installed-clip
$(CLIP_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt --editable '.[dev,clip,ocr,ray]'
	@touch $@

install: $(STAMP)  ## make the virtual environment with pinned versions

demo: $(STAMP)  ## organize a real collection end to end; leaves the Prefect UI running
	$(BIN)/python deploy/demo.py

test: $(CLIP_STAMP)  ## run every test (real Postgres, Prefect and S3 servers, started by the tests)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

check: $(STAMP)  ## lint, types, import contracts, migrations in step with the tables
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.migrations check

format: $(STAMP)  ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## measure B1-B5, B8-B10, B12-B14 and write docs/benchmarks.md
	$(BIN)/python -m bench.run

bench-duplicates: $(STAMP)  ## near-duplicates beside their peers (installed apart): precision, recall, F1
	$(BIN)/python -m bench.duplicates.run

bench-search: $(STAMP)  ## search: recall at 10 and latency on 30 queries with known answers, into docs/search.md
	$(BIN)/python -m bench.search.run

bench-categorize: $(STAMP)  ## categories beside a bag of words, confidence, speed; writes docs/categorization.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt scikit-learn
	$(BIN)/fileorganizer models pull all-minilm-l6-v2
	$(BIN)/python -m bench.categorize.run

campaign-crash: $(STAMP)  ## the long crash campaign: more kills, both storages
	$(BIN)/python -m pytest tests/crash -n $(JOBS) --campaign

campaign-scale: $(CLIP_STAMP)  ## several workers and a Redis: workers and leader killed in turn
	$(BIN)/python -m pytest tests/scale --scale

clean:  ## remove the virtual environment and caches (never your data)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
