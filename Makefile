# Pinbox: the front door. `make` alone prints the targets below.
GRID ?= demo
OUT ?= outputs/$(GRID)
SWEEP ?= outputs/$(GRID)
FRESH ?=
RETRY ?=
LAUNCHER ?=
ARGS ?=
JSON ?=
MINUTES ?= 10
JOBS ?= 10000
BOXES ?= 1000
KILLS ?= 0
UPGRADE ?=
MODEL ?= minilm-l6
TASK ?= tweets
BUDGET ?= 30m
TECHNIQUES ?=
A ?=
B ?=
FAIL_ON ?=
MAX_P90_MS ?=
MAX_DISK_MB ?=
MAX_RSS_MB ?=
MIN_ACCURACY ?=
MAX_NEGATIVE_FLIPS ?=
CORE_HOUR ?=
VARIANT ?=
TRIALS ?= 1000,10000
FILES ?=
REBUILD ?=
TO ?=
FORMAT ?=
OWN_OUT = $(if $(filter-out file,$(origin OUT)),--out $(OUT))
NO_VARIANT_TO = $(error name a variant and a folder: make export VARIANT=onnx-int8 TO=deploy/onnx-int8)
NO_BUNDLE_TO = $(error name a folder or an archive: make bundle TO=demo.tar.zst)
NO_FILES = $(error name a result of pyperf or optimum-benchmark: make import FILES=bench.json)
NO_NEW_TO = $(error name a folder: make new TO=folder)
NO_A_B = $(error name two sweeps: make diff A=outputs/x B=outputs/y)
# The first of these that is a Python 3.11, looked for once. Only set-up uses it; all else runs in .venv.
PYTHON ?= $(eval PYTHON := $(shell for name in python3.11 python3 python; do $$name -c \
	'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$name && break; done))$(PYTHON)

.DEFAULT_GOAL := help
.PHONY: help new sweep search report watch charts diff recommend export bundle import reproduce doctor test faults fuzz load \
	scale cluster-test lint docs setup cluster image lock clean python image-if-engine

help: ## Print this help
	@echo "usage: make TARGET [NAME=VALUE …]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'

sweep: setup ## Run a grid: GRID=demo OUT=outputs/demo FRESH=1 RETRY=failed LAUNCHER=slurm ARGS="threads=1"
	@.venv/bin/pinbox sweep grid=$(GRID) --out $(OUT) $(if $(FRESH),--fresh) $(if $(RETRY),--retry $(RETRY)) \
		$(if $(LAUNCHER),--launcher $(LAUNCHER)) $(ARGS)

new: .venv/.ready ## Write a commented example of your own conf/ into a folder, to start from: TO=folder
	@.venv/bin/pinbox init "$(or $(TO),$(NO_NEW_TO))"

search: setup ## Find the best variants of a model in a given time: MODEL=minilm-l6 TASK=tweets BUDGET=30m TECHNIQUES=a,b
	@.venv/bin/pinbox search --model $(MODEL) --task $(TASK) --budget $(BUDGET) \
		$(if $(TECHNIQUES),--techniques $(TECHNIQUES)) $(OWN_OUT) $(ARGS)

report: .venv/.ready ## Write a sweep's report anew: SWEEP=outputs/demo
	@.venv/bin/pinbox report $(SWEEP)

watch: .venv/.ready ## Keep the report of a running sweep up to date, from another terminal: SWEEP=outputs/demo
	@.venv/bin/pinbox watch $(SWEEP)

charts: .venv/.ready ## Write every chart of a report as a file: SWEEP=outputs/demo TO=folder FORMAT=svg (or png)
	@.venv/bin/pinbox charts $(SWEEP) $(if $(TO),--to $(TO)) $(if $(FORMAT),--format $(FORMAT))

diff: .venv/.ready ## Say what really differs between two sweeps: A=outputs/x B=outputs/y FAIL_ON=slower OUT=folder
	@.venv/bin/pinbox diff $(or $(A),$(NO_A_B)) $(or $(B),$(NO_A_B)) \
		$(if $(FAIL_ON),--fail-on $(FAIL_ON)) $(OWN_OUT)

recommend: .venv/.ready ## Name the variant to deploy: SWEEP=outputs/demo MAX_P90_MS=20 MIN_ACCURACY=80 CORE_HOUR=0.04 …
	@.venv/bin/pinbox recommend $(SWEEP) $(if $(MAX_P90_MS),--max-p90-ms=$(MAX_P90_MS)) \
		$(if $(MAX_DISK_MB),--max-disk-mb=$(MAX_DISK_MB)) $(if $(MAX_RSS_MB),--max-rss-mb=$(MAX_RSS_MB)) \
		$(if $(MIN_ACCURACY),--min-accuracy=$(MIN_ACCURACY)) \
		$(if $(MAX_NEGATIVE_FLIPS),--max-negative-flips=$(MAX_NEGATIVE_FLIPS)) \
		$(if $(CORE_HOUR),--core-hour=$(CORE_HOUR))

export: .venv/.ready ## Hand over a variant, ready to run: VARIANT=onnx-int8 (or model/technique, or a job) TO=folder SWEEP=outputs/demo
	@.venv/bin/pinbox export $(SWEEP) "$(or $(VARIANT),$(NO_VARIANT_TO))" "$(or $(TO),$(NO_VARIANT_TO))"

bundle: .venv/.ready ## Hand a sweep to somebody else, without private paths: SWEEP=outputs/demo TO=demo.tar.zst (or folder)
	@.venv/bin/pinbox bundle $(SWEEP) "$(or $(TO),$(NO_BUNDLE_TO))"

import: .venv/.ready ## Show results of pyperf or optimum-benchmark in a sweep's report: SWEEP=outputs/demo FILES="a.json b.json"
	@.venv/bin/pinbox import $(SWEEP) $(or $(FILES),$(NO_FILES))

reproduce: setup ## Run a recorded sweep again, and diff: SWEEP=outputs/demo OUT=outputs/demo.reproduced REBUILD=1
	@.venv/bin/pinbox reproduce $(SWEEP) $(if $(REBUILD),--rebuild) $(OWN_OUT)

doctor: .venv/.ready ## What this machine can and cannot tell: JSON=1 FRESH=1 (measure peaks again)
	@.venv/bin/pinbox doctor $(if $(JSON),--json) $(if $(FRESH),--fresh)

test: setup ## Run the tests: ARGS="-k word"; those that need Docker are skipped where no engine answers
	@.venv/bin/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 $(ARGS)

faults: .venv/.ready ## Cause every fault in a real sweep and say what was lost (as root): KILLS=50 (at random moments)
	@.venv/bin/python -m tests.faults --kills $(KILLS)

fuzz: .venv/.ready ## Read files that were changed at random, guided by the code they reach: MINUTES=10
	@.venv/bin/python -m tests.fuzz --minutes $(MINUTES)

load: .venv/.ready ## Plan and go on with very many jobs, and run many boxes in a row: JOBS=10000 BOXES=1000
	@.venv/bin/python -m tests.load --jobs $(JOBS) --boxes $(BOXES)

scale: .venv/.ready ## How collect, report, diff and recommend grow with a sweep: TRIALS=10000,100000
	@.venv/bin/python -m tests.scale --trials $(TRIALS)

cluster-test: cluster ## Test LAUNCHER=slurm on a real Slurm of two nodes on this machine (Debian or Ubuntu, as root)
	@tests/sweep/cluster/slurm.sh install
	@.venv/bin/python -m pytest tests/sweep/cluster

lint: .venv/.ready ## Check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@cd docker && ../.venv/bin/mypy --config-file= --strict *.py

docs: .venv/.ready ## Write anew the pages of docs/ that follow from the code
	@.venv/bin/python -m docs.generate

setup: python ## Make .venv and, where a Docker engine answers, the image (the targets above do it themselves)
	@$(MAKE) --no-print-directory -j2 PYTHON="$(PYTHON)" .venv/.ready image-if-engine

cluster: setup ## Add to .venv what LAUNCHER=slurm needs; see docs/cluster.md
	@.venv/bin/python -m pip install --quiet $$(.venv/bin/python -c "import tomllib; \
		print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['cluster'])")

image: python ## Build the pinned image that boxes run, unless it is there
	@$(PYTHON) docker/image.py

lock: .venv/.ready ## Make the lock files anew from pyproject.toml and docker/box.in: UPGRADE=1
	@$(PYTHON) docker/locks.py $(if $(UPGRADE),--upgrade)

clean: ## Remove .venv and the download cache; outputs/ and images stay
	rm -rf .venv .cache

.venv/.ready: docker/host.lock pyproject.toml | python
	@$(PYTHON) docker/environment.py

image-if-engine: | python
	@$(PYTHON) docker/image.py --if-engine

python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 found: install it, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }
