# affectd. `make` alone lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
SOURCE ?= recording
CONFIG ?=
DATA ?= $(or $(AFFECTD_DATA),../shared/data)
TRAINING ?= configs/train.yaml

DEVICE := .venv-run
DEV := .venv

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(DEVICE)/ready ## the main job: a broker, the daemon on a recording (or SOURCE=microphone, CONFIG=FILE), its events
	@$(if $(filter microphone,$(SOURCE)),$(MAKE) --no-print-directory $(DEVICE)/microphone)
	@$(DEVICE)/bin/affectd demo --source $(SOURCE) $(if $(CONFIG),--config $(CONFIG))

test: $(DEV)/ready ## all tests that a newcomer should run
	@.ci/packages mosquitto mosquitto-clients espeak-ng pulseaudio pulseaudio-utils libasound2-plugins
	AFFECTD_DATA=$(DATA) $(DEV)/bin/pytest

check: $(DEV)/ready ## format, lint, types, import contract
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-cache

format: $(DEV)/ready ## put the code in shape
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

train: $(DEV)/ready ## train on DATA with TRAINING (slow), leaving a run under runs/
	$(DEV)/bin/python -m train fit --config $(TRAINING)

demo-recording: $(DEV)/ready ## make the demonstration recording again
	@.ci/packages espeak-ng
	$(DEV)/bin/python -m train.demonstration configs/demo-recording.yaml edge/demo.opus

docs: $(DEV)/ready ## make the generated pages again
	$(DEV)/bin/python -m edge.config > docs/configuration.md

clean: ## remove environments and caches, not runs/
	rm -rf $(DEV) $(DEVICE) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(DEVICE)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "affectd needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(DEVICE)
	$(DEVICE)/bin/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(DEVICE)/microphone: $(DEVICE)/ready
	@.ci/packages portaudio19-dev gcc python3-dev
	$(DEVICE)/bin/pip install --quiet --disable-pip-version-check --editable '.[mic]'
	@touch $@

$(DEV)/ready: pyproject.toml
	@.ci/packages portaudio19-dev gcc
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: help run test check format train demo-recording docs clean
