# Two commands to begin with: `make up` and `make test`. Each target is one line; the work is done in Python.
# The distribution's build first, where it can make an environment: it is profile-guided, a home-made one often is not (a third slower).
PYTHON ?= $(shell /usr/bin/python3.11 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null || command -v python3.11 || command -v python3 || echo python3.11)
PY     := .venv/bin/python
UP     := $(if $(PORT),--port $(PORT)) $(if $(DATA),--data "$(DATA)") $(if $(WORKERS),--workers $(WORKERS))
.DEFAULT_GOAL := up
.PHONY: up down status setup test check lock bench test-fault test-clients test-model test-engine test-knobs verify-provider infraguard rehearse clean

.venv/ready: requirements.lock pyproject.toml tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py

up: .venv/ready ## A running store: environment, laptop blueprint, server, first object (PORT= DATA= WORKERS=)
	@$(PY) -m infra.cli up laptop $(UP)
setup: .venv/ready ## The environment alone: .venv, with kakera and kakera-infra in its bin
down: .venv/ready ## Stop it; the data stays
	@$(PY) -m infra.cli down laptop
status: .venv/ready ## What runs, where, how healthy
	@$(PY) -m infra.cli status laptop
test: .venv/ready ## Everything that has to be green, under 15 minutes on 2 cores
	@$(PY) -m tests.suites test
check: .venv/ready ## Lint, types, layers, house rules
	@$(PY) -m tests.suites check
test-fault: .venv/ready ## The whole fault suite
	@$(PY) -m tests.suites fault
test-clients: .venv/ready ## Other people's clients against a running server
	@$(PY) -m tests.suites clients
test-model: .venv/ready ## The journal's model, wide bounds
	@$(PY) -m tests.suites model
test-engine: .venv/ready ## The real engine under faults, options and modes, whole
	@$(PY) -m tests.suites engine
test-knobs: .venv/ready ## Every knob of every blueprint, changed alone in an environment that runs (an hour)
	@$(PY) -m tests.suites knobs
verify-provider: .venv/ready ## Alibaba Cloud's own Terraform provider as the judge of every blueprint, offline; built first (10 minutes, 7 GB)
	@$(PY) -m tests.suites provider
infraguard: .venv/ready ## The rules of aliyun/infraguard on every blueprint (RULES=a checkout of it)
	@$(PY) -m tests.provider.infraguard $(RULES)
rehearse: .venv/ready ## Every blueprint on the real engine with the cloud played here (BLUEPRINTS="laptop hybrid")
	@$(PY) -m tests.rehearse $(BLUEPRINTS)
bench: .venv/ready ## Figures and their ratio to a baseline of the same run (ENDPOINT= for another server)
	@$(PY) -m tests.bench $(if $(ENDPOINT),--endpoint $(ENDPOINT)) $(BENCH)
lock: .venv/ready ## Make requirements.lock again from pyproject.toml
	@$(PY) -m pip install -q uv==0.13.9 && .venv/bin/uv pip compile pyproject.toml -q --extra server --extra infra --extra dev --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock $(LOCK)
clean: ## Remove what make made; never the data
	@test ! -e .venv/ready || $(PY) -m infra.cli down laptop; rm -rf .venv build .mypy_cache .ruff_cache .hypothesis .import_linter_cache
