# make run | make test | make demo; docs/settings.md lists what can be set.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PORT ?= 8501
BIND ?= 127.0.0.1
# The first one that runs and is new enough: a version manager may put names on the path that do neither.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
# --system-certs: a clinic behind a proxy that inspects TLS has its certificate in the system, not in uv.
# --compile-bytecode: or every process would compile what it imports where PYTHONDONTWRITEBYTECODE is set; it starts in half the time.
INSTALL := $(BIN)/uv pip install --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | LC_ALL=C.UTF-8 column -t -s "$$(printf '\t')"

.venv/made:
	@test -n "$(PYTHON)" || { echo "Chairside needs Python 3.11 or newer; say where it is with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/pip uninstall --quiet --yes setuptools  # came with the venv, too old to pass an audit, and nothing needs it
	@touch $@

.venv/installed: .venv/made requirements.txt
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(INSTALL) -r requirements-dev.txt
	@touch $@

run: .venv/installed  ## Serve Chairside on http://localhost:8501 (PORT=…, CHAIRSIDE_DATA=…)
	@exec $(BIN)/python -m streamlit run app.py --server.port $(PORT)

cluster: .venv/installed-dev  ## Two app processes, a worker, PgBouncer, Redis and HAProxy on https://localhost:8501 (PORT=…, BIND=0.0.0.0 for other machines)
	@exec $(BIN)/python -m scripts.cluster --bind $(BIND) --port $(PORT)

test-cluster: .venv/installed-dev  ## The tests of browser and API through a cluster's door
	$(BIN)/python -m scripts.chromium
	CHAIRSIDE_TEST_CLUSTER=1 $(BIN)/python -m pytest -m "not one_process" tests/browser tests/api

cluster-restart:  ## One app process of the cluster after the other; no request is dropped
	@$(BIN)/python -m scripts.cluster restart

demo: .venv/installed  ## Fill a demo clinic and print its sign-ins
	@$(BIN)/python -m lib.demo

# The tests start more than a hundred processes of this code.
test test-long test-cluster: export PYTHONDONTWRITEBYTECODE =
test: .venv/installed-dev  ## Lint, types, and every test that is not long
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.chromium
	$(BIN)/python -m scripts.install_redis
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not long"

audit: .venv/installed-dev  ## Look every package up among known vulnerabilities; needs the network
	$(BIN)/python scripts/audit_dependencies.py

test-long: .venv/installed-dev  ## The tests that take minutes
	$(BIN)/python -m scripts.chromium
	$(BIN)/python -m pytest -m long

bench: .venv/installed-dev  ## Every figure beside its goal, into docs/performance.md; takes 40 minutes and wants the machine to itself
	-$(BIN)/python -m scripts.chromium  # without it the table says what is missing
	$(BIN)/python -m benchmarks.report

eval: .venv/installed-dev  ## How well the assistant finds danger signs and articles; fails where a goal is missed
	@failed=0; for part in redflags knowledge; do $(BIN)/python -m evaluation.$$part || failed=1; done; exit $$failed

migrate: .venv/installed  ## Bring the database of DATABASE_OWNER_URL (or the embedded one) up to date
	@$(BIN)/python -m lib.operator migrate

migration: .venv/installed  ## Draft a migration without applying it: make migration NAME="Add the diary"
	@$(BIN)/python -m lib.operator draft-migration "$(NAME)"

clinic: .venv/installed  ## Open a further clinic where sign-up is closed; asks for what it needs
	@$(BIN)/python -m lib.operator open-clinic

reset-user: .venv/installed  ## Print a link to somebody's new password (FACTOR=1: drop the second factor instead)
	@$(BIN)/python -m lib.operator reset-user $(if $(FACTOR),--factor) $(if $(NETWORKS),--networks)

jobs: .venv/installed  ## Show the queue of background jobs and what failed
	@$(BIN)/python -m lib.operator jobs

alerts: .venv/installed  ## Show the installation's alerts (MUTE=disk HOURS=24: tell nobody of it; TEST=1: send one)
	@$(BIN)/python -m lib.operator alerts $(if $(MUTE),--mute $(MUTE)) $(if $(HOURS),--hours $(HOURS)) $(if $(TEST),--test)

retry: .venv/installed  ## Let a failed job run again: make retry JOB=4711
	@$(BIN)/python -m lib.operator retry $(JOB)

key: .venv/installed  ## Print a new key for CHAIRSIDE_ENCRYPTION_KEYS
	@$(BIN)/python -m lib.operator key

rotate-keys: .venv/installed  ## Seal what is stored with the newest of CHAIRSIDE_ENCRYPTION_KEYS
	@$(BIN)/python -m lib.operator rotate-keys

archive: .venv/installed  ## Move closed months older than CHAIRSIDE_ARCHIVE_AFTER (or MONTHS=…) months into sealed files
	@$(BIN)/python -m lib.operator archive $(if $(MONTHS),--months $(MONTHS))

unarchive: .venv/installed  ## Read a month back: make unarchive MONTH=2026-01 (without it: list what is archived)
	@$(BIN)/python -m lib.operator unarchive $(MONTH)

backup: .venv/installed  ## Back the database up to CHAIRSIDE_BACKUPS, encrypted, and read it back
	@$(BIN)/python -m lib.operator backup

restore: .venv/installed  ## Bring the newest backup back (FILE=…, UNTIL=2026-11-28T09:30Z or end, OVER_DATA=1)
	@$(BIN)/python -m lib.operator restore $(if $(FILE),"$(FILE)") $(if $(UNTIL),--until "$(UNTIL)") $(if $(OVER_DATA),--over-data)

release: .venv/installed  ## Let a restored copy send mail and call providers
	@$(BIN)/python -m lib.operator release

lock:  ## Lock requirements*.in with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes requirements-dev.in -o requirements-dev.txt

.PHONY: help run cluster test-cluster cluster-restart demo test audit test-long bench eval migrate migration clinic reset-user jobs alerts retry key rotate-keys archive unarchive backup restore release lock
