# Pinbox: the front door. `make` alone prints the targets, and `.venv/bin/pinbox --help` all verbs.
# A verb's option is typed in capitals: `make recommend MAX_P90_MS=20` runs `pinbox recommend --max-p90-ms=20`.
GRID ?= demo
SWEEP ?= outputs/$(GRID)
A ?=
B ?=
ARGS ?=
# The first of these that is a Python 3.11 to 3.14, looked for once: that of .venv, or else the newest that is there.
# Only set-up uses it; all else runs in .venv.
PYTHON ?= $(eval PYTHON := $(shell for name in .venv/bin/python python3.14 python3.13 python3.12 python3.11 python3 python; \
	do $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null && echo $$name && break; \
	done))$(PYTHON)

arguments = GRID SWEEP A B ARGS PYTHON TORCH
flags = FRESH REBUILD
typed = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(filter-out $(arguments),$(name))))
value = $(if $(filter-out $(flags),$(1)),='$($(1))')
option = $(shell echo '--$(1)' | tr A-Z_ a-z-)$(value)
options = $(foreach name,$(typed),$(if $($(name)),$(call option,$(name))))
pytest = .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
.DEFAULT_GOAL := help
.PHONY: help sweep report diff recommend reproduce test check lint setup image image-if-engine image-in-background python

help: ## Print this help
	@echo "usage: make TARGET [NAME=VALUE …]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-11s%s\n", $$1, $$2 }'
	@echo "All verbs and their options, which are typed in capitals here: .venv/bin/pinbox --help"

sweep: image-in-background .venv/.ready ## Run a grid: GRID=demo OUT=outputs/demo FRESH=1 RETRY=failed LAUNCHER=slurm ARGS="threads=1"
	@.venv/bin/pinbox sweep grid=$(GRID) $(options) $(ARGS)
report: .venv/.ready ## Write a sweep's report again: SWEEP=outputs/demo
	@.venv/bin/pinbox report $(SWEEP) $(options)
diff: .venv/.ready ## Say what really differs between two sweeps: A=outputs/x B=outputs/y FAIL_ON=slower OUT=folder
	@.venv/bin/pinbox diff $(A) $(B) $(options)
recommend: .venv/.ready ## Name the variant to deploy: SWEEP=outputs/demo MAX_P90_MS=20 MIN_SCORE=80 CORE_HOUR=0.04 …
	@.venv/bin/pinbox recommend $(SWEEP) $(options)
reproduce: setup ## Run a recorded sweep again, and diff: SWEEP=outputs/demo OUT=outputs/demo.reproduced REBUILD=1
	@.venv/bin/pinbox reproduce $(SWEEP) $(options)

test: setup ## Run the fast tests, in about 5 minutes: ARGS="-k word"; those that need Docker skip where no engine answers
	@$(pytest) -m "not (sweep or browser or architectures or slow or clients)" $(ARGS)
check: setup lint ## Run lint and every test but those marked clients, in about half an hour
	@$(pytest) -m "not clients" --durations=40 --durations-min=8 $(ARGS)
lint: .venv/.ready ## Check style, types, and that no room uses one above it
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports --no-cache
	@.venv/bin/mypy && cd docker && ../.venv/bin/mypy --config-file= --strict *.py

# An environment that is there is gone through again if somebody says which Python or torch it shall have.
asked = $(if $(filter command environment,$(origin PYTHON) $(origin TORCH)),--what-if=pyproject.toml)
setup: python ## Make .venv and, where a Docker engine answers, the image (done by the targets above): PYTHON=python3.13
	@$(MAKE) --no-print-directory -j2 $(asked) PYTHON="$(PYTHON)" .venv/.ready image-if-engine
image: python ## Build the pinned image that boxes run, unless it is there
	@$(PYTHON) docker/image.py
.venv/.ready: docker/host.lock pyproject.toml | python
	@$(PYTHON) docker/environment.py
image-if-engine image-in-background: | python
	@$(PYTHON) docker/image.py --$(@:image-%=%)
python:
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.14 found: install one, or make setup PYTHON=/path/to/python3.13" >&2; exit 2; }
